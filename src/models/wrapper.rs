//! Models that are made of others: those among them that can predict on a device are moved there with the whole.

use super::estimator::{Model, Movable};
use crate::cost::Work;
use crate::device::Device;
use crate::error::Result;
use std::sync::Arc;

/// A model within another; one that predicts on the CPU alone is shared by the model and its like on a device.
pub(super) type Shared = Arc<dyn Model>;

/// A model made of others.
pub(super) trait Wrapper: Model + Sized {
    /// The others.
    fn members(&self) -> impl Iterator<Item = &Shared>;

    /// The same model with others in their places, as many.
    fn with(&self, members: Vec<Shared>) -> Self;
}

/// [`Model::movable`] of a model that is made of others.
pub(super) fn movable(model: &impl Wrapper) -> Option<&dyn Movable> {
    model.members().any(|member| member.movable().is_some()).then_some(model)
}

impl<W: Wrapper> Movable for W {
    fn work(&self, rows: usize) -> Work {
        self.members().filter_map(|member| member.movable()).map(|member| member.work(rows)).sum()
    }

    fn on(&self, device: &Device) -> Result<Box<dyn Model>> {
        let moved = |member: &Shared| match member.movable() {
            Some(movable) => movable.on(device).map(Shared::from),
            None => Ok(Shared::clone(member)),
        };
        Ok(Box::new(self.with(self.members().map(moved).collect::<Result<_>>()?)))
    }
}
