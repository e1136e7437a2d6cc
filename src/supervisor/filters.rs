//! The pod's seccomp filters: each distinct profile is compiled once, however many containers and attempts have it.

use std::rc::Rc;

use oci_spec::runtime::{LinuxSeccomp, Spec};

use crate::runtime::seccomp::{Filter, SeccompError};

/// Compiled filters by their profiles. A pod has a few at most.
#[derive(Debug, Default)]
pub struct Filters(Vec<(LinuxSeccomp, Rc<Filter>)>);

impl Filters {
    /// Takes the profile out of a config and gives its filter.
    pub fn take(&mut self, spec: &mut Spec) -> Result<Option<Rc<Filter>>, SeccompError> {
        let Some(linux) = spec.linux_mut() else { return Ok(None) };
        let Some(profile) = linux.seccomp().clone() else { return Ok(None) };
        linux.set_seccomp(None);
        if let Some((_, filter)) = self.0.iter().find(|(known, _)| *known == profile) {
            return Ok(Some(Rc::clone(filter)));
        }
        let filter = Rc::new(Filter::new(&profile)?);
        self.0.push((profile, Rc::clone(&filter)));
        Ok(Some(filter))
    }
}
