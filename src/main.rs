//! barepod: one static binary that runs a Kubernetes Pod on a bare box.

use std::process::ExitCode;

fn main() -> ExitCode {
    barepod::runtime::container::helper_main_if_asked();
    barepod::cli::main()
}
