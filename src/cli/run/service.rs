//! Who hears of the pod as of a service.

use super::super::args::{ReadyWhen, RunArgs};
use super::super::terminal::warn;
use crate::runtime::service::ServiceManager;
use crate::supervisor::Service;

/// Who started this process as a service and waits for its word. A pod in the background is nobody's service.
pub(super) fn of(args: &RunArgs) -> Option<Service> {
    let (ReadyWhen::Is(ready), false) = (&args.sdnotify, args.detach || args.is_interactive()) else { return None };
    match ServiceManager::of_environment() {
        Ok(manager) => Some(Service::new(manager?, ready.clone())),
        Err(error) => {
            warn(&format!("$NOTIFY_SOCKET: {error}; the service manager is told nothing"));
            None
        }
    }
}
