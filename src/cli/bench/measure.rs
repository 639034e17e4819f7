//! How long a run takes: warmed up, repeated, in samples long enough for the clock.

use crate::device::Device;
use crate::error::Result;
use serde::Serialize;
use std::time::Instant;

/// Runs before the clock: plans and pipelines are built in the first two.
const WARM_UP: usize = 3;
/// Seconds of a sample, as long as many runs are needed to fill it.
const SAMPLE: f64 = 0.02;
const SAMPLES: usize = 7;
/// Where a single run takes long, this many samples do.
const FEW: usize = 3;

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// One run: is it right?
    #[cfg(test)]
    Once,
    /// All cases within some seconds.
    Quick,
    /// More sizes, and longer each.
    Full,
}

impl Effort {
    /// Seconds of all samples of a case.
    fn seconds(self) -> f64 {
        match self {
            #[cfg(test)]
            Effort::Once => 0.0,
            Effort::Quick => 0.14,
            Effort::Full => 0.6,
        }
    }
}

/// What a case takes on a device, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Stages {
    /// Inputs to the device.
    pub upload: f64,
    /// The first run: plan, and kernels that are not compiled yet.
    pub first: f64,
    /// Later runs.
    pub steady: Timing,
    /// The result back; of a training, the loss of all batches.
    pub read_back: f64,
}

/// Times `run`, after what came before it was timed.
pub(super) fn stages(
    run: &mut dyn FnMut() -> Result<()>,
    device: &Device,
    effort: Effort,
    [upload, first, read_back]: [f64; 3],
) -> Result<Stages> {
    Ok(Stages { upload, first, steady: measure(run, device, effort)?, read_back })
}

/// Seconds of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Timing {
    pub median: f64,
    /// A quarter of the samples were below.
    pub lower_quartile: f64,
    /// A quarter of the samples were above.
    pub upper_quartile: f64,
    pub samples: usize,
}

impl Timing {
    fn of(mut samples: Vec<f64>) -> Timing {
        samples.sort_by(f64::total_cmp);
        let last = samples.len().saturating_sub(1) as f64;
        let at = |share: f64| {
            let place = last * share;
            let value = |place: f64| samples.get(place as usize).copied().unwrap_or(f64::NAN);
            value(place.floor()) + place.fract() * (value(place.ceil()) - value(place.floor()))
        };
        Timing { median: at(0.5), lower_quartile: at(0.25), upper_quartile: at(0.75), samples: samples.len() }
    }

    /// Half the distance between the quartiles, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.upper_quartile - self.lower_quartile) / 2.0 / self.median
    }
}

/// Times `run`, which starts work on the device.
pub(super) fn measure(run: &mut dyn FnMut() -> Result<()>, device: &Device, effort: Effort) -> Result<Timing> {
    let mut sample = |runs: usize| -> Result<f64> {
        let began = Instant::now();
        for _ in 0..runs {
            run()?;
        }
        device.synchronize()?;
        Ok(began.elapsed().as_secs_f64() / runs as f64)
    };
    sample(WARM_UP)?;
    let one = sample(1)?;
    let all = effort.seconds();
    let runs = ((SAMPLE.min(all) / one.max(1e-9)) as usize).clamp(1, 10_000);
    let began = Instant::now();
    let mut samples = Vec::new();
    while samples.len() < FEW || began.elapsed().as_secs_f64() < all || samples.len() < SAMPLES && one < all {
        samples.push(sample(runs)?);
    }
    Ok(Timing::of(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_samples() {
        let timing = Timing::of(vec![5.0, 1.0, 4.0, 2.0]);
        assert_eq!((timing.lower_quartile, timing.median, timing.upper_quartile), (1.75, 3.0, 4.25));
        assert_eq!((Timing::of(vec![2.0]).spread(), timing.samples), (0.0, 4));
    }

    #[test]
    fn a_run_of_known_length_is_timed() {
        let pause = std::time::Duration::from_millis(30);
        let timing = measure(
            &mut || {
                std::thread::sleep(pause);
                Ok(())
            },
            &Device::cpu(),
            Effort::Quick,
        );
        let median = timing.unwrap().median;
        assert!((0.03..0.3).contains(&median), "{median}"); // a busy machine may oversleep
    }
}
