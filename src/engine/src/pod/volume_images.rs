//! Images of volumes (R8.17): a container gets those of the volumes that it mounts before its own.

use super::Engine;
use crate::container::Life;
use crate::spec::{ContainerIndex, ImageOf, ImageSpec};

impl Engine {
    /// The image that an attempt which begins now asks for first: of a volume that isn't there, else its own.
    pub(crate) fn next_image(&self, index: ContainerIndex) -> ImageOf {
        let is_missing = |volume| !self.volumes.contains(volume);
        let mut volumes = self.container_spec(index).volumes.iter().map(|one| &one.volume);
        volumes.find(|volume| is_missing(volume)).map_or(ImageOf::Container, |volume| ImageOf::Volume(*volume))
    }

    /// The image that is looked for or pulled for a container, or could not be had; where there is none, its next.
    pub(crate) fn image_of(&self, index: ContainerIndex) -> ImageOf {
        let container = self.container(index);
        match container.life {
            Life::Preparing | Life::Pulling { .. } | Life::Abandoned | Life::Retry { .. } => container.image_of,
            _ if container.ahead.is_under_way() => container.image_of,
            Life::Waiting
            | Life::BackOff { .. }
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => self.next_image(index),
        }
    }

    /// Where that comes from.
    pub(crate) fn image(&self, index: ContainerIndex) -> &ImageSpec {
        let spec = self.container_spec(index);
        let of_volume = match self.image_of(index) {
            ImageOf::Container => None,
            ImageOf::Volume(volume) => spec.volumes.iter().find(|one| one.volume == volume),
        };
        of_volume.map_or(&spec.image, |one| &one.image)
    }

    /// Whom its events are about: an image of a volume is the pod's.
    pub(crate) fn whose_image(&self, index: ContainerIndex) -> Option<ContainerIndex> {
        (self.image_of(index) == ImageOf::Container).then_some(index)
    }
}
