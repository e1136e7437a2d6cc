//! barepod: one static binary that runs a Kubernetes Pod on a bare box.

use std::process::ExitCode;

fn main() -> ExitCode {
    barepod::runtime::backtrace::install();
    // A helper process is this same binary: before anything else looks at arguments or makes a thread.
    barepod::runtime::helper_main_if_asked();
    barepod::cli::main()
}
