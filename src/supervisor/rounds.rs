//! The rounds of the loop: what is urgent first, then one of the things that take their time, then all else.

use std::time::Duration;

use barepod_engine::event::Event;

use super::persist::NextWrite;
use super::sources::{Patience, Token};
use super::{Supervisor, SupervisorError, now};
use crate::runtime::container::reap_ended;
use crate::runtime::memory::release_code;

/// How long results of probes and containers' output are looked at before it is seen whether something urgent has come.
const SLICE: Duration = Duration::from_millis(1);

impl Supervisor<'_> {
    /// Runs the pod to its end and gives the exit code of `barepod run`.
    ///
    /// # Errors
    /// Where the loop itself fails; containers may then still run; the next `stop`, `rm` or `run` of the pod ends them.
    pub fn run(mut self) -> Result<u8, SupervisorError> {
        match self.go_round() {
            Ok(exit_code) => Ok(self.end(exit_code)),
            Err(error) => {
                if matches!(error, SupervisorError::Network(_)) {
                    self.forget();
                }
                Err(error)
            }
        }
    }

    /// Goes on until the pod has ended; its exit code.
    fn go_round(&mut self) -> Result<u8, SupervisorError> {
        let first = match self.pod.rejected.take() {
            Some(message) => Event::Rejected { message },
            None => {
                self.tell_of_missing_pull_secrets();
                Event::Begin
            }
        };
        self.tell(first)?;
        loop {
            if let Some(exit_code) = self.finished {
                return Ok(exit_code);
            }
            // First: what the kernel still has no room for adds itself anew.
            self.look_at_unwatched()?;
            self.listen_as_there_is_room();
            self.listen_again();
            let patience = self.patience();
            let mut tokens =
                self.sources.wait(patience).map_err(|errno| SupervisorError::of("epoll_wait", errno.into()))?;
            if self.clients_had_their_turn {
                tokens.retain(|token| *token != Token::Control);
            }
            let urgent = tokens.partition_point(|token| token.is_urgent());
            for token in &tokens[..urgent] {
                self.look_at(*token);
                self.settle()?;
            }
            // What takes its time is done piece by piece, and only where nothing has happened meanwhile.
            if urgent > 0 || self.do_chore()? {
                continue;
            }
            let began = now().monotonic;
            for token in tokens {
                self.look_at(token);
                self.settle()?;
                if now().monotonic.since(began) > SLICE {
                    break;
                }
            }
            if self.removing_sandbox.is_some() {
                self.advance_sandbox_removal();
                self.settle()?;
            }
            self.clients_had_their_turn = false;
        }
    }

    fn end(mut self, exit_code: u8) -> u8 {
        self.persist();
        self.listen_as_there_is_room();
        let status = self.engine.status();
        self.control.close();
        // Late: once the ledger says that nothing is left, nobody looks after this pod again.
        let exit_code = self.settle_ledger(exit_code);
        self.give_back_cpus();
        self.tell_service_of_end(exit_code);
        // Unlocked before anybody is told: whoever waited may remove the pod or run it again at once.
        if self.pod.forget && self.store.is_ended() {
            if let Err(error) = self.store.remove() {
                self.audience.warn(&format!("the pod can't be forgotten: {error}"));
            }
        } else {
            drop(self.store);
        }
        self.control.finish(exit_code, status.phase);
        // Very last, as it may wait for a reader: by now that holds up nobody but this process.
        self.audience.ended(&status);
        exit_code
    }

    fn patience(&self) -> Patience {
        let deaf = self.deaf_until.map(|until| Patience::Until(until.since(now().monotonic)));
        let deaf = deaf.unwrap_or(Patience::Endless).shorter(self.unwatched.patience());
        match &self.removing_sandbox {
            _ if self.has_chores() => Patience::None,
            Some(removing) => removing.patience().shorter(Some(deaf)),
            None => deaf,
        }
    }

    fn has_chores(&self) -> bool {
        self.unwritten != NextWrite::Nothing
            || self.control.has_deferred()
            || self.clients_had_their_turn
            || self.grown
            || !self.asked.is_empty()
            || self.execs.has_waiting()
            || !self.removals.is_empty()
    }

    /// Does one of the things that nobody else waits for and that take a millisecond or so each; `false`: there is none.
    /// Probes and hooks first, as they have their time; writing last, as more may be to be written.
    fn do_chore(&mut self) -> Result<bool, SupervisorError> {
        if let Some((container, attempt, purpose)) = self.asked.pop_front() {
            self.begin_handler(container, attempt, purpose);
        } else if self.execs.has_waiting() {
            self.begin_next_exec();
        } else if let Some((container, attempt)) = self.removals.pop_front() {
            self.remove(container, attempt);
        } else if self.unwritten != NextWrite::Nothing {
            self.write_next();
            // Helpers that have answered have ended by now, and nothing else may happen for days.
            reap_ended();
        } else if self.control.has_deferred() {
            self.control.send_deferred();
        } else if self.grown {
            self.grown = false;
            release_code();
        } else {
            return Ok(false);
        }
        self.settle().map(|()| true)
    }
}
