//! Groups of rows around centres.

mod lloyd;

use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, Influence, Model, Prediction, check_range, check_rows, largest};
use crate::models::problem::{Answer, Problem};
use crate::models::store::{Reader, Writer, save};
use crate::rng::Rng;
use lloyd::{Cloud, PART};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Where the centres start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "give \"k-means++\", \"random\" or a list of the centres' numbers, one centre after another")]
pub enum Start {
    /// Rows far apart: each is drawn with odds that grow with the square of its distance from those before, the best of
    /// `2 + ln k` draws (Arthur, Vassilvitskii 2007, in scikit-learn's greedy form).
    #[default]
    #[serde(rename = "k-means++")]
    PlusPlus,
    /// Rows at random.
    #[serde(rename = "random")]
    Random,
    /// Given centres, `n_clusters` rows of features one after another.
    #[serde(untagged)]
    Given(Vec<f64>),
}

/// k-means by Lloyd's method. scikit-learn's `KMeans`.
///
/// ```
/// use tilework::models::KMeans;
/// let x = [[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]];
/// let model = KMeans { n_clusters: 2, ..KMeans::default() }.fit(&x)?;
/// let found = model.predict(&[[0.0, 0.0], [12.0, 3.0]])?;
/// assert_ne!(found[0], found[1]);
/// assert_eq!(model.inertia, 16.0);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KMeans {
    /// How many groups.
    pub n_clusters: usize,
    /// Where the centres start.
    pub init: Start,
    /// Starts, of which the best is kept: 10 of random centres and else 1, when left out. Given centres are one start.
    pub n_init: Option<usize>,
    /// The most iterations of a start.
    pub max_iter: usize,
    /// Ends when the centres move less, in shares of the features' mean variance; 0 to go on until no row changes its group.
    pub tol: f64,
    /// Of the starts.
    pub seed: u64,
}

impl Default for KMeans {
    fn default() -> KMeans {
        KMeans { n_clusters: 8, init: Start::PlusPlus, n_init: None, max_iter: 300, tol: 1e-4, seed: 0 }
    }
}

/// A fitted [`KMeans`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedKMeans {
    /// The centres, `[K, F]`.
    pub cluster_centers: Array2<f64>,
    /// The group of each row that was learnt from; none in a model that was read from a file.
    pub labels: Vec<u32>,
    /// The sum of squared distances from the rows to their centres.
    pub inertia: f64,
    /// Iterations of the best start.
    pub n_iter: usize,
    /// Whether it ended before `max_iter`.
    pub converged: bool,
}

impl KMeans {
    /// Groups rows `[N, F]`.
    ///
    /// # Errors
    /// What [`Problem::check`] finds; fewer rows than groups; settings out of range.
    pub fn fit<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<FittedKMeans> {
        self.learn(&Problem { x: x.into(), y: Answer::None, weights: None, names: None, device: None })
    }

    /// Reads a file that [`FittedKMeans::save`] wrote.
    ///
    /// # Errors
    /// As [`Estimator::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<FittedKMeans> {
        <KMeans as Estimator>::load(path)
    }
}

impl Estimator for KMeans {
    type Fitted = FittedKMeans;
    const NAME: &'static str = "k-means";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedKMeans> {
        problem.check(Self::NAME)?;
        let (rows, width, k) = (problem.x.rows(), problem.x.width(), self.n_clusters);
        let wrong = |what: String| Err(Error::argument(Self::NAME, what));
        if k == 0 || k > rows {
            return wrong(format!("n_clusters is {k} for {rows} rows; give 1 to {rows}"));
        }
        if !(self.tol >= 0.0 && self.tol.is_finite()) || self.max_iter == 0 || self.n_init == Some(0) {
            return wrong(format!(
                "tol {} must be at least 0, max_iter {} and n_init {:?} at least 1",
                self.tol, self.max_iter, self.n_init
            ));
        }
        if let Start::Given(centres) = &self.init
            && (centres.len() != k * width || centres.iter().any(|v| !v.is_finite()))
        {
            return wrong(format!("init has {} numbers; give {k} x {width} finite ones", centres.len()));
        }
        let cloud = Cloud::new(problem);
        let tol = self.tol * cloud.mean_variance();
        let starts = match (&self.init, self.n_init) {
            (Start::Given(_), _) => 1, // all would be the same
            (_, Some(starts)) => starts,
            (Start::Random, None) => 10,
            (Start::PlusPlus, None) => 1,
        };
        let mut best: Option<FittedKMeans> = None;
        for start in 0..starts as u64 {
            let mut rng = Rng::seed(self.seed).fork(start);
            let centres = match &self.init {
                Start::PlusPlus => cloud.spread(k, &mut rng),
                Start::Random => cloud.rows_at(&rng.permutation(rows as u32)[..k]),
                Start::Given(centres) => {
                    let mut centres = centres.clone();
                    cloud.centre(&mut centres);
                    centres
                }
            };
            let found = cloud.lloyd(centres, tol, self.max_iter);
            if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                best = Some(found);
            }
        }
        let best = best.ok_or_else(|| Error::internal(Self::NAME, "no start"))?;
        if !best.converged {
            log::warn!("k-means: stopped after {} iterations with centres still moving; raise max_iter", best.n_iter);
        }
        Ok(best)
    }
}

impl FittedKMeans {
    /// The group of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let distances = self.transform(x)?.mapv(|distance| -distance);
        Ok(largest(&distances))
    }

    /// The distance of each row from each centre, `[N, K]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn transform<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        check_rows(KMeans::NAME, self.width(), x)?;
        let (k, width) = self.cluster_centers.dim();
        let mut out = Array2::zeros((x.rows(), k));
        let work = (3 * PART * width * k) as u64;
        for_chunks(host_threads(), out.as_slice_mut().unwrap_or_default(), PART * k, work, |part, out| {
            let block = x.block(part * PART..(part + 1) * PART);
            for (row, out) in block.chunks(width.max(1)).zip(out.chunks_mut(k.max(1))) {
                for (out, centre) in out.iter_mut().zip(self.cluster_centers.rows()) {
                    *out = row.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>().sqrt();
                }
            }
        });
        check_range(KMeans::NAME, "distances", &out)?;
        Ok(out)
    }

    /// Writes one safetensors file. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(self, path)
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    inertia: f64,
    n_iter: usize,
    converged: bool,
}

impl Model for FittedKMeans {
    fn kind(&self) -> &'static str {
        KMeans::NAME
    }

    fn width(&self) -> usize {
        self.cluster_centers.ncols()
    }

    fn classes(&self) -> usize {
        self.cluster_centers.nrows()
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { inertia: self.inertia, n_iter: self.n_iter, converged: self.converged })?;
        out.matrix("cluster_centers", &self.cluster_centers)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedKMeans> {
        let Note { inertia, n_iter, converged } = from.note()?;
        let cluster_centers = from.matrix("cluster_centers")?;
        match cluster_centers.is_empty() {
            true => Err(from.error("cluster_centers: none")),
            false => Ok(FittedKMeans { cluster_centers, labels: Vec::new(), inertia, n_iter, converged }),
        }
    }
}
