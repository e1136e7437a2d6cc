//! The network of a pod that doesn't have the box's, made before the rest of its sandbox, in whose files its addresses are.
//! Nobody waits for it here: it may take its time, and a stop ends it. What is to be made is in the ledger before it begins.

use std::io;

use barepod_engine::event::{Event, SandboxFailure};

use super::Supervisor;
use super::not_connected::NotConnected;
use super::sandbox::RemovingSandbox;
use super::sources::{Interest, Token};
use crate::plan::{self, Uplink};
use crate::runtime::network::{Connecting, Progress};
use crate::store::ledger::Network;

impl Supervisor<'_> {
    /// Begins to connect a new sandbox's network, where it is to be; with what there is then it is made.
    pub(super) fn connect_sandbox(&mut self) {
        match self.pod.plan.sandbox.uplink {
            Uplink::None => self.make_sandbox(None),
            Uplink::IfPossible | Uplink::Required => {
                if let Err(error) = self.begin_to_connect() {
                    self.not_connected(error);
                }
            }
        }
    }

    fn begin_to_connect(&mut self) -> Result<(), NotConnected> {
        let mut connecting = Connecting::begin()?;
        self.store.note_network(Network::pasta(connecting.pid())?)?;
        connecting.go()?;
        self.wait_for_network(connecting)
    }

    fn wait_for_network(&mut self, connecting: Connecting) -> Result<(), NotConnected> {
        self.sources.add(connecting.fd(), Token::Connecting, Interest::Readable).map_err(io::Error::from)?;
        self.connecting = Some(connecting);
        Ok(())
    }

    /// What is to connect the pod has something to say, or has ended, or has taken too long.
    pub(super) fn network_moved(&mut self) {
        let Some(connecting) = self.stop_connecting() else { return };
        let went_on = match connecting.advance() {
            Ok(Progress::Waits(connecting)) => self.wait_for_network(connecting),
            Ok(Progress::Connected(connection)) => {
                self.make_sandbox(Some(connection));
                Ok(())
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = went_on {
            self.not_connected(error);
        }
    }

    /// Gives what is being connected, which nobody waits for any more.
    pub(super) fn stop_connecting(&mut self) -> Option<Connecting> {
        let connecting = self.connecting.take()?;
        self.sources.remove(connecting.fd());
        Some(connecting)
    }

    fn not_connected(&mut self, error: NotConnected) {
        match self.pod.plan.sandbox.uplink {
            Uplink::Required => {
                let message = format!("sandbox: network: {error}");
                self.unconnected = Some(error);
                self.facts.push_back(Event::SandboxFailed { failure: SandboxFailure::Network, message });
            }
            Uplink::IfPossible | Uplink::None => {
                // Once: a sandbox that has to be made again has no network either.
                self.pod.plan.sandbox.uplink = Uplink::None;
                let lacks = plan::out_of_reach(&self.pod.manifest).map(|what| format!("; {what}")).unwrap_or_default();
                self.audience.warn(&format!(
                    "the pod has no network but its loopback: {error} (--network none to have it so){lacks}"
                ));
                self.make_sandbox(None);
            }
        }
    }

    /// What connected it with the outside has ended. It stays in the namespace that its containers are in, and nothing else
    /// can be connected with that: told, once.
    pub(super) fn network_lost(&mut self) {
        let Some(sandbox) = &mut self.sandbox else {
            // It is being removed.
            let removing = self.removing_sandbox.as_ref();
            if let Some(connection) = removing.and_then(RemovingSandbox::connection_fd) {
                self.sources.remove(connection);
            }
            return;
        };
        let Some(connection) = sandbox.connection_fd() else { return };
        self.sources.remove(connection);
        let complaint = sandbox.lose_connection();
        let why = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        self.audience.warn(&format!("the pod has lost its network, pasta has ended{why}"));
    }
}
