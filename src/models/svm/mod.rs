//! Support vector machines.

mod cache;
mod descent;
mod kernel;
mod linear;
mod linear_svc;
mod linear_svr;
mod machine;
mod newton;
mod platt;
mod smo;
mod svc;
mod svr;

pub use kernel::{Gamma, Kernel};
pub use linear_svc::{FittedLinearSvc, HingeLoss, LinearSvc};
pub use linear_svr::{FittedLinearSvr, LinearSvr, TubeLoss};
pub use svc::{DecisionShape, FittedSvc, Svc};
pub use svr::{FittedSvr, Svr};
