//! policy.json: which requirements are an image's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde_json::{Map, Value};

use super::error::TrustError;
use super::requirement::Rules;
use super::subject::Subject;
use super::{file, strict};

const SYSTEM: &str = "/etc/containers/policy.json";
const USERS: &str = ".config/containers/policy.json";
/// Bytes.
const LARGEST: u64 = 4 << 20;

/// What a policy file says.
#[derive(Clone, Debug)]
pub struct Policy {
    path: PathBuf,
    default: Value,
    transports: Map<String, Value>,
}

/// Where this box's policy may be; the first that is there counts alone.
#[must_use]
pub fn files(environment: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let home = environment("HOME").filter(|home| !home.is_empty());
    home.map(|home| Path::new(&home).join(USERS)).into_iter().chain([SYSTEM.into()]).collect()
}

impl Policy {
    /// The one that was given, or this box's; `None`: there is none, and everything is accepted.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn of_this_box(
        given: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TrustError> {
        if let Some(path) = given {
            let absent = || TrustError::Read { path: path.to_owned(), cause: Errno::NOENT.into() };
            return Self::read(path)?.ok_or_else(absent).map(Some);
        }
        for path in files(environment) {
            if let Some(policy) = Self::read(&path)? {
                return Ok(Some(policy));
            }
        }
        Ok(None)
    }

    /// `None`: there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, TrustError> {
        let failed = |cause| TrustError::Read { path: path.to_owned(), cause };
        match file::read(path, LARGEST) {
            Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            text => Self::parse(path, &text.map_err(failed)?).map(Some),
        }
    }

    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, TrustError> {
        let wrong =
            |place: &str, fault: String| TrustError::Policy { path: path.to_owned(), place: place.to_owned(), fault };
        let value: Value = strict::read(text).map_err(|cause| wrong("$", cause.to_string()))?;
        let Value::Object(mut all) = value else { return Err(wrong("$", "no object".to_owned())) };
        let default = all.remove("default").ok_or_else(|| wrong("$", "it has no \"default\"".to_owned()))?;
        let transports = match all.remove("transports") {
            None => Map::new(),
            Some(Value::Object(transports)) => transports,
            Some(_) => return Err(wrong("$.transports", "no object".to_owned())),
        };
        // It would be as if it were not there, and the default counted.
        if let Some((name, _)) = transports.iter().find(|(_, scopes)| !scopes.is_object()) {
            return Err(wrong(&format!("$.transports.{name}"), "no object".to_owned()));
        }
        match all.keys().next() {
            Some(unknown) => Err(wrong("$", format!("unknown key {unknown:?}"))),
            None => Ok(Self { path: path.to_owned(), default, transports }),
        }
    }

    /// Whether it wants nothing of any image, so that no file but this one matters.
    #[must_use]
    pub fn accepts_everything(&self) -> bool {
        let accepts = |one: &Value| one.get("type").is_some_and(|kind| kind == "insecureAcceptAnything");
        let accept = |all: &Value| all.as_array().is_some_and(|all| all.iter().all(accepts));
        let mut scopes = self.transports.values().filter_map(Value::as_object).flat_map(Map::values);
        accept(&self.default) && scopes.all(accept)
    }

    /// What it wants of this image.
    ///
    /// # Errors
    /// Where it rejects the image, or wants what can't be understood. Nothing of the image has to be there for that.
    pub fn rules(&self, image: &Subject) -> Result<Rules, TrustError> {
        let transport = image.transport();
        let place = |scope: &str| format!("$.transports.{transport}[{scope:?}]");
        let all = self.transports.get(transport).and_then(Value::as_object);
        for wanted in image.scopes() {
            let mut found = all.into_iter().flatten().filter(|(scope, _)| image.usual_scope(scope) == wanted);
            let Some((scope, value)) = found.next() else { continue };
            // Whoever reads the first of two could rely on it.
            if let Some((other, _)) = found.find(|(_, other)| *other != value) {
                let fault = format!("it is another spelling of {other:?}, which wants something else");
                return Err(TrustError::Policy { path: self.path.clone(), place: place(scope), fault });
            }
            return Rules::read(&self.path, &place(scope), value, image);
        }
        Rules::read(&self.path, "$.default", &self.default, image)
    }
}
