//! Resizes that commands ask for: `plan` says what comes of them, the engine how, here it is written to the cgroups.

use barepod_engine::ResizeRefusal;
use barepod_engine::action::LimitsOf;
use barepod_engine::event::{Event, ResizeWay};
use barepod_engine::spec::Attempt;

use super::{Pod, Supervisor};
use crate::control::{Resized, Resources};
use crate::plan;
use crate::plan::resize::{self, MemoryUsage, Place, Resize, ResizeError, ResizeRequest};

impl Supervisor<'_> {
    /// Carries out a resize, all of it or nothing, and says what became of it.
    pub(super) fn resize(&mut self, wanted: Resources) -> Resized {
        let Resources { container, amounts, requests, limits } = wanted;
        let request = ResizeRequest { container, amounts, requests, limits };
        match self.try_resize(&request) {
            Ok(Some((container, ResizeWay::InPlace))) => Resized::Done { container },
            Ok(Some((container, ResizeWay::Restart))) => Resized::Restarting { container },
            Ok(Some((container, ResizeWay::NextInstance))) => Resized::Later { container },
            Ok(None) => Resized::Unchanged,
            Err(why) => Resized::Refused { why },
        }
    }

    fn try_resize(&mut self, request: &ResizeRequest) -> Result<Option<(String, ResizeWay)>, String> {
        let text = |error: ResizeError| error.to_string();
        let resize =
            resize::resize(&self.pod.manifest, request, &self.pod.node, self.pod.plan.memory_qos).map_err(text)?;
        let Some(mut resize) = resize else { return Ok(None) };
        resize.spare(&self.pod.plan.cpus).map_err(text)?;
        let way = self.engine.resize_way(resize.index, resize.policy).map_err(|refusal| match refusal {
            ResizeRefusal::PodEnds => text(ResizeError::PodEnds),
            ResizeRefusal::Init => text(ResizeError::Init { field: resize.name.clone() }),
            ResizeRefusal::Ephemeral => {
                format!("container {}: ephemeral containers have no resources of their own", resize.name)
            }
        })?;
        self.apply(&resize, way)?;
        let Resize { index, name, manifest, pod: (_, pod), summary, .. } = resize;
        self.pod.manifest = manifest;
        self.pod.plan.cgroup.limits = pod;
        if way == ResizeWay::InPlace {
            let resources = plan::pod_container(&self.pod.manifest, index).manifest.resources.clone();
            self.slot(index).shown.resources = resources;
        }
        self.update_volumes();
        // The spec is new even where the status isn't.
        self.written = None;
        self.facts.push_back(Event::Resized { container: index, way, summary });
        Ok(Some((name, way)))
    }

    /// Files that say what containers may use say it anew; variables stay as they are, as under the kubelet.
    pub(super) fn update_volumes(&mut self) {
        for volume in plan::outdated_volumes(&self.pod.manifest, &self.pod.node, &self.pod.plan) {
            if let Some(sandbox) = &mut self.sandbox
                && let Err(error) = sandbox.update_volume(&volume)
            {
                self.audience.warn(&format!("a volume isn't up to date: {error}"));
                continue;
            }
            if let Some(known) = self.pod.plan.volumes.iter_mut().find(|one| one.name == volume.name) {
                *known = volume;
            }
        }
    }

    /// Where there are cgroups already.
    fn apply(&self, resize: &Resize, way: ResizeWay) -> Result<(), String> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let own = plan::label(&self.pod.plan, resize.index, Attempt(0)).cgroup;
        let present = self.slots[usize::from(resize.index.0)].present().is_some();
        let usage = MemoryUsage {
            pod: sandbox.memory_usage(sandbox.cgroup()),
            container: present.then(|| sandbox.memory_usage(&own)).flatten(),
        };
        resize::check_usage(resize, way, usage).map_err(|error| error.to_string())?;
        let changes: Vec<_> = resize::resize_steps(resize, way)
            .into_iter()
            .filter_map(|(place, limits)| match place {
                Place::Pod => Some((place, sandbox.cgroup().to_owned(), limits)),
                // One that is being made gets them when it is there.
                Place::Container => present.then(|| (place, own.clone(), limits)),
            })
            .collect();
        sandbox.change_limits(&changes).map_err(|error| error.to_string())
    }

    /// Those that the manifest has now.
    pub(super) fn write_limits(&mut self, of: LimitsOf) {
        let Pod { manifest, plan, node, .. } = &self.pod;
        let change = match of {
            LimitsOf::Pod => (Place::Pod, plan.cgroup.path.clone(), plan.cgroup.limits),
            LimitsOf::Container(container) => {
                let own = plan::label(plan, container, Attempt(0)).cgroup;
                let of_manifest = plan::pod_container(manifest, container);
                (Place::Container, own, resize::limits_of(&of_manifest, &plan.cpus, plan.memory_qos, node))
            }
        };
        let Some(sandbox) = &self.sandbox else { return };
        if let Err(error) = sandbox.change_limits(&[change]) {
            self.audience.warn(&format!("resize: {error}"));
        }
    }
}
