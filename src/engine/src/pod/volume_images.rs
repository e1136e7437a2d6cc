//! Images of volumes (R8.17): a container gets those of the volumes that it mounts before its own.

use super::Engine;
use crate::container::Life;
use crate::spec::{ContainerIndex, ImageOf, ImageSpec};

impl Engine {
    /// The image that an attempt which begins now asks for first: of a volume that isn't there, else its own.
    pub(crate) fn next_image(&self, index: ContainerIndex) -> ImageOf {
        let mut volumes = self.container_spec(index).volumes.iter().map(|one| one.volume);
        volumes.find(|volume| !self.volumes.contains(volume)).map_or(ImageOf::Container, ImageOf::Volume)
    }

    /// The image that is looked for or pulled for a container, or could not be had; where there is none, its next.
    pub(crate) fn image_of(&self, index: ContainerIndex) -> ImageOf {
        let container = self.container(index);
        let waits = matches!(container.life, Life::Retry { .. });
        let is_asked_for = container.is_preparing() || waits || container.ahead.is_under_way();
        if is_asked_for { container.image_of } else { self.next_image(index) }
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
