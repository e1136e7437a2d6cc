//! The pod's seccomp filters: each distinct profile is compiled once, however many containers and attempts have it.

use std::rc::Rc;

use oci_spec::runtime::{LinuxSeccomp, Spec};

use crate::runtime::seccomp::{Filter, SeccompError};

/// A profile and what it was compiled to.
#[derive(Debug)]
pub struct Compiled {
    /// As the container's config had it.
    pub profile: LinuxSeccomp,
    /// As the kernel takes it.
    pub filter: Filter,
}

/// All of a pod: a few at most.
#[derive(Debug, Default)]
pub struct Filters(Vec<Rc<Compiled>>);

impl Filters {
    /// Takes the profile out of a config and gives its filter.
    pub fn take(&mut self, spec: &mut Spec) -> Result<Option<Rc<Compiled>>, SeccompError> {
        let Some(linux) = spec.linux_mut() else { return Ok(None) };
        let Some(profile) = linux.seccomp().clone() else { return Ok(None) };
        linux.set_seccomp(None);
        if let Some(known) = self.0.iter().find(|known| known.profile == profile) {
            return Ok(Some(Rc::clone(known)));
        }
        let compiled = Rc::new(Compiled { filter: Filter::new(&profile)?, profile });
        self.0.push(Rc::clone(&compiled));
        Ok(Some(compiled))
    }
}
