//! What can be written on the command line.

mod actions;
mod apply;
mod debug;
mod detach_keys;
mod examples;
mod generate;
mod image;
mod kubectl;
mod output;
mod reports;
mod run;
mod top;
mod values;

use std::path::PathBuf;

pub use actions::{
    AttachArgs, CpArgs, ExecArgs, KillArgs, PortForwardArgs, ResizeArgs, RestartArgs, RmArgs, StopArgs, WaitArgs,
};
pub use apply::{ApplyArgs, ApplyOutput, DryRun};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use debug::{DebugArgs, Profile};
pub use detach_keys::DetachKeys;
use examples::*;
pub use generate::{GenerateArgs, GenerateCommand, InstallArgs, SystemdArgs, UninstallArgs};
pub use image::{
    ImageArgs, ImageCommand, ImageExportArgs, ImageImportArgs, ImageLsArgs, ImageNamesArgs, ImageOutput,
    ImagePruneArgs, ImagePullArgs, ImageRepairArgs, ImageVerifyArgs,
};
use kubectl::{ALL_OF_DESCRIBE, FILENAME_OF_RM, PODS_OF_STOP, PODS_OF_TOP, PODS_OR_ALL};
pub use kubectl::{ChosenPods, OnePod, Pods};
pub use output::GetOutput;
pub use reports::{
    DescribeArgs, DiffArgs, EventType, EventsArgs, EventsOutput, ExplainArgs, GetArgs, LogsArgs, SimulateArgs,
    SimulateOutput,
};
pub use run::{
    BackoffArgs, CpuManager, LogDriver, LogLevel, MemoryReservationPolicy, Network, Pull, ReadyWhen, RunArgs,
    SecurityArgs, SwapBehavior,
};
pub use top::{TopArgs, TopOutput, TopSort};
pub use values::{Address, CopyPlace, Forwarding, LocalPort, RemotePort};

/// barepod: runs one Kubernetes Pod on a bare Linux box.
#[derive(Debug, Parser)]
#[command(name = "barepod", version, about, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The folder for state, data and logs of pods, by default $BAREPOD_ROOT. Without either, state is in /run/barepod, an
    /// ordinary user's in $XDG_RUNTIME_DIR/barepod, and logs and data are elsewhere
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// A store of images that lies below the one of the data folder, and is never changed: what it has isn't pulled. May be given
    /// several times; by default those of $BAREPOD_IMAGE_STORE_RO, separated by colons
    #[arg(long, global = true, value_name = "DIR")]
    pub image_store_ro: Vec<PathBuf>,
}

/// The commands.
// There is one, and it lives as long as the process: boxing would only cost.
#[expect(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pod in the foreground, where Ctrl-C stops it gracefully and a second Ctrl-C at once, or in the background (-d)
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Show pods
    #[command(aliases = ["ps", "ls", "list"], after_help = GET_EXAMPLES, mut_arg("pods", |arg| arg.help(PODS_OR_ALL)))]
    Get(GetArgs),
    /// Show all about pods: their containers, what these need together, conditions, volumes and events
    #[command(
        after_help = DESCRIBE_EXAMPLES,
        mut_arg("pods", |arg| arg.required_unless_present_any(["filename", "selector", "all_namespaces"])),
        mut_arg("all_namespaces", |arg| arg.hide(false).help(ALL_OF_DESCRIBE))
    )]
    Describe(DescribeArgs),
    /// Show how much cpu and memory pods use now
    #[command(after_help = TOP_EXAMPLES, mut_arg("pods", |arg| arg.help(PODS_OF_TOP)))]
    Top(TopArgs),
    /// Show what happened to pods
    #[command(alias = "event", after_help = EVENTS_EXAMPLES, mut_arg("pods", |arg| arg.help(PODS_OR_ALL)))]
    Events(EventsArgs),
    /// Show what a container printed
    #[command(alias = "log", after_help = LOGS_EXAMPLES)]
    Logs(LogsArgs),
    /// Run a program in a container that runs
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(ExecArgs),
    /// Show what a container prints from now on, and type what it reads
    #[command(after_help = ATTACH_EXAMPLES)]
    Attach(AttachArgs),
    /// Add a container to a pod that runs, to look at the others
    #[command(after_help = DEBUG_EXAMPLES)]
    Debug(DebugArgs),
    /// Copy files into a container that runs, or out of it; its image needs no tar for that
    #[command(after_help = CP_EXAMPLES)]
    Cp(CpArgs),
    /// Forward ports of this box to ports of a pod, until the pod has ended or Ctrl-C
    #[command(after_help = PORT_FORWARD_EXAMPLES)]
    PortForward(PortForwardArgs),
    /// Stop a pod and wait for its end
    #[command(after_help = STOP_EXAMPLES, mut_arg("pods", |arg| arg.help(PODS_OF_STOP)))]
    Stop(StopArgs),
    /// Send a signal to the first process of a container, SIGKILL unless --signal says otherwise
    #[command(after_help = KILL_EXAMPLES)]
    Kill(KillArgs),
    /// Stop the containers of a pod and start them again, and wait until they run
    #[command(after_help = RESTART_EXAMPLES)]
    Restart(RestartArgs),
    /// Wait until a pod is as you want it, or can't become so any more
    #[command(after_help = WAIT_EXAMPLES)]
    Wait(WaitArgs),
    /// Change cpu and memory of a running container, without a restart unless its resizePolicy asks for one
    #[command(after_help = RESIZE_EXAMPLES)]
    Resize(ResizeArgs),
    /// Forget a pod that has ended: its state and its logs
    #[command(
        alias = "remove",
        after_help = RM_EXAMPLES,
        mut_arg("filename", |arg| arg.short(None).help(FILENAME_OF_RM))
    )]
    Rm(RmArgs),
    /// Make a pod that runs that of its manifest, as far as a pod can be changed; run it in the background if it isn't there
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(ApplyArgs),
    /// Show what of a pod that runs is different from its manifest
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Tell what a field of a Pod means, and what becomes of it here
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Images of this box: bring, list, look at, check and remove them
    #[command(visible_alias = "images", after_help = IMAGE_EXAMPLES)]
    Image(ImageArgs),
    /// Show in virtual time what a pod would do; runs nothing
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// Print what runs a pod as part of something else: a systemd unit
    Generate(GenerateArgs),
    /// Have systemd run a pod from now on and at each boot: write its unit, enable and start it
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(InstallArgs),
    /// Have systemd end such a pod gracefully, and remove its unit
    #[command(after_help = UNINSTALL_EXAMPLES)]
    Uninstall(UninstallArgs),
    /// Print a shell's completion script
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion(CompletionArgs),
    /// Print names for the word at the cursor; completion scripts ask for them
    #[command(name = "__complete", hide = true, disable_help_flag = true)]
    Complete(CompleteArgs),
    /// Print the manual page, or write all of them into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

/// `barepod completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `completion SHELL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `barepod __complete`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words behind `barepod`, up to the one at the cursor, which may be empty
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// `barepod man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write barepod.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
