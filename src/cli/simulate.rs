//! `barepod simulate`: what a manifest will do, in virtual time.

use std::path::Path;

use barepod_engine::spec::PodSpec;
use k8s_openapi::api::core::v1;

use super::args::{SimulateArgs, SimulateOutput};
use super::error::CliError;
use super::exit_code::Exit;
use super::files::{self, Depth};
use super::given::{self, Detail};
use super::options::backoff;
use super::output::print;
use crate::manifest::Reading;
use crate::report::table::{Namespaces, PodRow, Shown};
use crate::report::{StatusFacts, status, table};
use crate::store::read::Life;
use crate::{manifest, plan, simulate};

/// In messages of a pod that brings none.
const UID: &str = "simulated";

/// Prints the timeline, and what `barepod get` would show in the end.
pub fn simulate(args: &SimulateArgs) -> Result<Exit, CliError> {
    let backoff = backoff(&args.backoff)?;
    let files = given::texts(std::slice::from_ref(&args.file), &[], Depth::Folder)?;
    let set = given::decode(files, &Reading::default())?;
    set.tell(Detail::Some);
    let mut pod = set.only("`barepod simulate`")?.pod;
    manifest::generate_name(&mut pod.metadata, 0);
    manifest::apply_defaults(&mut pod);
    pod.metadata.uid.get_or_insert_with(|| UID.to_owned());
    let spec = plan::lifecycle_of(&pod, backoff).map_err(CliError::Plan)?;
    let play = match &args.script {
        Some(path) => script(path, &args.file, &spec, &pod)?,
        None => simulate::Play::plain(&spec),
    };
    let outcome = simulate::run(spec, &play);
    if args.output == Some(SimulateOutput::Json) {
        let text = simulate::json(&outcome.entries);
        return print(&text.map_err(|error| CliError::Format { format: "json", cause: error.to_string() })?);
    }
    let facts = StatusFacts { qos_class: plan::resources::qos_class(&pod).to_owned(), ..StatusFacts::default() };
    let row = PodRow { pod: status::v1(&pod, &outcome.status, &facts), life: Life::Running };
    let now = jiff::Timestamp::UNIX_EPOCH + outcome.at;
    print(&format!(
        "{}\n{}",
        simulate::table(&outcome.entries),
        table::pods(&[row], now, &Shown::default(), Namespaces::Left, super::terminal::width())
    ))
}

fn script(path: &Path, manifest: &Path, spec: &PodSpec, pod: &v1::Pod) -> Result<simulate::Play, CliError> {
    if [path, manifest].into_iter().all(files::is_stdin) {
        return Err(CliError::Usage("FILE and --script can't both be standard input"));
    }
    let (name, bytes) = files::text_of(path)?;
    let colour = given::manifest_colour();
    simulate::decode(&name, &bytes, spec, pod).map_err(|report| CliError::Manifest(report.render(colour)))
}
