//! The commands: one file each. Arguments, messages, colours and exit codes are made here and nowhere else. Logic that two
//! commands need belongs in another module.
//!
//! Each submodule may use those that stand above it in this list and are named in its line; `tests/tidy.rs` reads the list.
//!
//! | submodule | has | may use |
//! |---|---|---|
//! | `exit_code` | exit codes | |
//! | `args` | options and arguments, their help | |
//! | `terminal` | colours, prefixes, text that is safe to show, warnings | |
//! | `console` | standard output and error that wait for nobody | |
//! | `phrases` | phrases of several commands | |
//! | `error` | what can keep a command from what it was to do, and its exit code | exit_code |
//! | `output` | what every command ends with: its result, or its failure | console, error, exit_code, terminal |
//! | `words` | words of kubectl and podman that are understood, or answered with advice | args |
//! | `user` | what is different for an ordinary user in every command that changes something | error |
//! | `root` | where pods are kept | args, error, user |
//! | `files` | what FILE means: a file, a folder, standard input | error |
//! | `given` | manifests and other texts that are given, read and checked | args, error, files, terminal |
//! | `options` | what options mean for a plan | args, error |
//! | `container` | which container of a pod a command is about | error |
//! | `exit_code_file` | the file of `--exit-code-file` | error |
//! | `recover` | what becomes of pods that nobody supervises any more | error, user |
//! | `inside` | the running container that a command gets into | args, container, error, recover |
//! | `changes` | changes in a folder, as the kernel tells of them | error |
//! | `chosen` | which pods a command is about | args, error, given, recover |
//! | `pod_changes` | what tells that something of pods may have changed | changes, error |
//! | `until` | the wait until a pod is as somebody wants it | changes, error, recover |
//! | `ending` | the end of a pod, gracefully or by force | error, phrases, recover |
//! | `removal` | the removal of pods that have ended, and of a Job's | ending, error, recover, user |
//! | `jobs` | Jobs that there are: found, stopped, forgotten, waited for | changes, error, removal, until |
//! | `job` | `run` of a Job: the process of its controller | args, changes, ending, error, exit_code, given, pod_changes, recover, removal, until, user |
//! | `rootless` | how this process becomes one that can make a pod | error, exit_code, recover, terminal, user |
//! | `cpus` | `run --cpu-manager static` | args, error, recover |
//! | `network` | `run --network` | args, error |
//! | `preflight` | what of a manifest can be checked on this box before anything is made | error, files |
//! | `logins` | logins for registries: `--auth-file`, Secrets | error |
//! | `screen` | a text that is shown again and again, on a terminal in place of the one before | |
//! | `pulling` | how far pulls are | phrases, screen |
//! | `pinned` | `--require-digest` | |
//! | `watch` | what a person sees of a pod that runs | console, phrases, pulling, screen, terminal |
//! | `journal` | `run --log-driver journald` | args, console, error |
//! | `raw` | this process's terminal in raw mode | |
//! | `relay` | bytes between this process's streams and a program in a container | args |
//! | `session` | our terminal and streams at a container | args, error, raw, relay, terminal |
//! | `attach` | `barepod attach`, and `run -it` once its pod is made | args, error, exit_code, inside, session, terminal |
//! | `debug` | `barepod debug` | args, attach, container, error, exit_code, inside, logins, raw, recover, session, terminal |
//! | `interactive` | `run --stdin`, `--tty`: the container that is attached | args, container, error, raw |
//! | `detach` | `run --detach`: the process that was called, and the one that runs the pod | args, attach, error, exit_code, files, output, pulling, recover, until |
//! | `run` | `barepod run` | args, cpus, detach, ending, error, exit_code, exit_code_file, files, given, interactive, job, journal, logins, network, options, pinned, preflight, recover, rootless, screen, terminal, user, watch |
//! | `generate` | `barepod generate` | args, error, exit_code, files, options, output, run |
//! | `install` | `barepod install`, `uninstall` | args, error, exit_code, generate, user |
//! | `simulate` | `barepod simulate` | args, error, exit_code, files, given, options, output, terminal |
//! | `get` | `barepod get` | args, error, exit_code, files, given, jobs, output, pod_changes, recover, terminal |
//! | `describe` | `barepod describe` | args, chosen, error, exit_code, jobs, output, recover, terminal |
//! | `diff` | `barepod diff` | args, error, exit_code, files, given, output, recover |
//! | `top` | `barepod top` | args, chosen, container, error, exit_code, given, output, recover, screen, terminal |
//! | `events` | `barepod events` | args, chosen, error, exit_code, given, jobs, output, pod_changes, recover, terminal |
//! | `door` | descriptors of a pod that its supervisor hands over | error |
//! | `joined` | several logs on one output | |
//! | `follow` | `logs --follow`: logs as they grow | changes, error, exit_code, joined, recover |
//! | `logs` | `barepod logs` | args, changes, chosen, container, error, exit_code, follow, jobs, joined, output, recover, until |
//! | `exec` | `barepod exec` | args, error, exit_code, inside, raw, relay, terminal |
//! | `cp` | `barepod cp` | args, door, error, exit_code, inside |
//! | `port_forward` | `barepod port-forward` | args, door, error, exit_code, output, recover |
//! | `kill` | `barepod kill` | args, chosen, container, error, exit_code, output, phrases, recover |
//! | `stop` | `barepod stop` | args, chosen, ending, error, exit_code, jobs, output, recover, until |
//! | `restart` | `barepod restart` | args, chosen, container, error, exit_code, output, phrases, recover, until |
//! | `apply` | `barepod apply` | args, changes, detach, diff, error, exit_code, files, given, job, jobs, logins, output, pinned, recover, restart, run, terminal, until |
//! | `wait` | `barepod wait` | args, chosen, error, exit_code, get, jobs, output, recover, until |
//! | `resize` | `barepod resize` | args, error, exit_code, output, recover |
//! | `rm` | `barepod rm` | args, chosen, error, exit_code, jobs, output, recover, removal |
//! | `explain` | `barepod explain` | args, error, exit_code, output |
//! | `image` | `barepod image` | args, error, exit_code, logins, output, phrases, pulling, user |
//! | `completion` | completion scripts and manual pages | args, error, exit_code, output |
//! | `complete` | names that completion scripts ask for | args, container, error, exit_code, output |
//! | `program` | which command is asked for, and what becomes of its error | apply, args, attach, complete, completion, cp, debug, describe, diff, error, events, exec, exit_code, exit_code_file, explain, generate, get, image, install, kill, logs, output, port_forward, resize, restart, rm, run, simulate, stop, top, wait, words |

/// One line on standard error, made harmless for terminals. As `eprintln!`, which panics where standard error can't be written (a full disk, a terminal that is gone): that is no
/// reason to leave off in the middle of ending a pod.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::terminal::tell(&format!($($text)*)) };
}

mod apply;
mod args;
mod attach;
mod changes;
mod chosen;
mod complete;
mod completion;
mod console;
mod container;
mod cp;
mod cpus;
mod debug;
mod describe;
mod detach;
mod diff;
mod door;
mod ending;
mod error;
mod events;
mod exec;
mod exit_code;
mod exit_code_file;
mod explain;
mod files;
mod follow;
mod generate;
mod get;
mod given;
mod image;
mod inside;
mod install;
mod interactive;
mod job;
mod jobs;
mod joined;
mod journal;
mod kill;
mod logins;
mod logs;
mod network;
mod options;
mod output;
mod phrases;
mod pinned;
mod pod_changes;
mod port_forward;
mod preflight;
mod program;
mod pulling;
mod raw;
mod recover;
mod relay;
mod removal;
mod resize;
mod restart;
mod rm;
mod root;
mod rootless;
mod run;
mod screen;
mod session;
mod simulate;
mod stop;
mod terminal;
mod top;
mod until;
mod user;
mod wait;
mod watch;
mod words;

pub use program::main;
