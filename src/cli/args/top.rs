//! What `top` takes.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::kubectl::ChosenPods;
use super::values::interval;

/// `barepod top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: ChosenPods,
    /// A line for each container that runs
    #[arg(long)]
    pub containers: bool,
    /// Go on: on a terminal the table is drawn anew, elsewhere one follows the other
    #[arg(short, long)]
    pub watch: bool,
    /// For how long CPU time is counted, and how often with --watch
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Who uses most comes first
    #[arg(long, value_name = "WHAT")]
    pub sort_by: Option<TopSort>,
    /// A last line with what all of them use together
    #[arg(long)]
    pub sum: bool,
    /// No line that names the columns
    #[arg(long)]
    pub no_headers: bool,
    /// Output format instead of a table; wide: also limits, disks and stalls
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<TopOutput>,
}

/// `top --sort-by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum TopSort {
    Cpu,
    Memory,
}

/// `top -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum TopOutput {
    Json,
    Wide,
}
