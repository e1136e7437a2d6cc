//! Arguments as kubectl takes them.

use clap::Args;

/// What kubectl has everywhere.
#[derive(Debug, Args)]
pub struct Kubectl {
    /// The name, where the word before it is Kubernetes' for the kind: `pod web`
    #[arg(hide = true, value_name = "NAME")]
    pub also: Option<String>,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}
