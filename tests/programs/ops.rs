//! The operations that random programs are made of. Each draws what it needs besides tensors: structure (axes, sizes) from
//! `pick`, and run-time numbers (scalars, offsets, indices) from `data`, so that one program has many sets of numbers.

use rand::{RngExt, seq::SliceRandom};
use tilework::{Correction, DType, Order, Rng, Tensor};

/// Draws of one step.
pub struct Draw {
    pub pick: Rng,
    pub data: Rng,
}

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.pick.random_range(0..n.max(1))
    }

    fn axis(&mut self, x: &Tensor) -> isize {
        self.below(x.rank()) as isize
    }

    fn axes(&mut self, x: &Tensor) -> Vec<isize> {
        (0..x.rank() as isize).filter(|_| self.pick.random_bool(0.5)).collect()
    }

    fn number(&mut self) -> f32 {
        self.data.random_range(-2.0..2.0)
    }

    /// Places `0..n`, in a tensor of this shape.
    fn places(&mut self, n: usize, shape: &[usize], like: &Tensor) -> Tensor {
        let count = shape.iter().product::<usize>();
        if self.pick.random_bool(0.5) {
            let places = (0..count).map(|_| self.data.random_range(0..n.max(1)) as u32).collect();
            return Tensor::from_vec(places, shape, like.device());
        }
        let places = (0..count).map(|_| self.data.random_range(0..n.max(1)) as i32).collect();
        Tensor::from_vec(places, shape, like.device())
    }
}

/// A step's operation: how many tensors it takes, and what it makes of them.
pub struct Kind {
    pub name: &'static str,
    pub inputs: usize,
    pub apply: fn(&[&Tensor], &mut Draw) -> Tensor,
}

macro_rules! kinds {
    ($($name:ident($($input:ident),+; $draw:ident) = $body:expr;)*) => {
        pub static KINDS: &[Kind] = &[$(Kind {
            name: stringify!($name),
            inputs: [$(stringify!($input)),+].len(),
            apply: |inputs, $draw| {
                let &[$($input),+] = inputs else { unreachable!() };
                $body
            },
        }),*];
    };
}

fn float(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.clone() } else { x.to_dtype(DType::F32) }
}

/// One of those, applied.
fn one_of(x: &Tensor, draw: &mut Draw, all: &[fn(&Tensor) -> Tensor]) -> Tensor {
    all[draw.below(all.len())](x)
}

fn two_of(x: &Tensor, y: &Tensor, draw: &mut Draw, all: &[fn(&Tensor, &Tensor) -> Tensor]) -> Tensor {
    all[draw.below(all.len())](x, y)
}

const SMOOTH: &[fn(&Tensor) -> Tensor] = &[
    |x| x.sin(),
    |x| x.cos(),
    |x| x.tanh(),
    |x| x.sigmoid(),
    |x| x.gelu(),
    |x| x.silu(),
    |x| x.softplus(),
    |x| x.erf(),
    |x| x.mish(),
    |x| x.tanh().exp(),
    |x| (x.abs() + 0.5).ln(),
    |x| (x.square() + 1.0).recip(),
    |x| (x.abs() + 0.25).sqrt(),
    |x| (x.abs() + 0.5).rsqrt(),
];

const BENT: &[fn(&Tensor) -> Tensor] =
    &[|x| x.neg(), |x| x.abs(), |x| x.relu(), |x| x.square(), |x| x.sign(), |x| x.hard_swish(), |x| x.hard_sigmoid()];

const ROUND: &[fn(&Tensor) -> Tensor] = &[
    |x| x.floor(),
    |x| x.ceil(),
    |x| x.round(),
    |x| x.trunc(),
    |x| x.is_nan(),
    |x| x.is_finite(),
    |x| x.logical_not(),
];

const TESTS: &[fn(&Tensor, &Tensor) -> Tensor] = &[
    |x, y| x.eq(y),
    |x, y| x.ne(y),
    |x, y| x.lt(y),
    |x, y| x.le(y),
    |x, y| x.gt(y),
    |x, y| x.ge(y),
    |x, y| x.logical_and(y),
    |x, y| x.logical_or(y),
    |x, y| x.logical_xor(y),
];

/// The shape with dimensions split and merged.
fn another_shape(x: &Tensor, draw: &mut Draw) -> Vec<usize> {
    let mut dims = x.shape().to_vec();
    for _ in 0..2 {
        let at = draw.below(dims.len());
        match draw.below(3) {
            0 if dims.len() < 6 => dims.insert(draw.below(dims.len() + 1), 1),
            1 if at + 1 < dims.len() => {
                let next = dims.remove(at + 1);
                dims[at] *= next;
            }
            _ if at < dims.len() && dims.len() < 6 => {
                let factor = [2, 3, 5].into_iter().find(|f| dims[at] > 0 && dims[at].is_multiple_of(*f)).unwrap_or(1);
                dims[at] /= factor;
                dims.insert(at + draw.below(2), factor);
            }
            _ => {}
        }
    }
    dims
}

/// A part of an axis: as long as `pick` says, from where `data` says.
fn part(x: &Tensor, draw: &mut Draw) -> Tensor {
    let axis = draw.axis(x);
    let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
    let len = draw.below(dim + 1);
    let start = draw.data.random_range(0..=dim - len);
    x.slice(axis, start..start + len)
}

kinds! {
    smooth(x; d) = one_of(x, d, SMOOTH);
    smooth_again(x; d) = one_of(x, d, SMOOTH);
    bent(x; d) = one_of(x, d, BENT);
    round(x; d) = one_of(x, d, ROUND);
    arithmetic(x, y; d) = two_of(x, y, d, &[
        |x, y| x + y, |x, y| x - y, |x, y| x * y, |x, y| x.maximum(y), |x, y| x.minimum(y), |x, y| x.squared_difference(y),
    ]);
    again(x, y; d) = two_of(x, y, d, &[|x, y| x + y, |x, y| x - y, |x, y| x * y, |x, y| x.maximum(y)]);
    divide(x, y; d) = two_of(x, y, d, &[|x, y| x / &(y.abs() + 1.0), |x, y| x.remainder(&(y.abs() + 1.0))]);
    with_itself(x; d) = two_of(x, x, d, &[|x, y| x + y, |x, y| x * y, |x, y| x - y, |x, y| &x.t() + y, |x, y| x * &y.flip(&[-1])]);
    test(x, y; d) = two_of(x, y, d, TESTS);
    scalar(x; d) = match d.below(6) {
        0 => x + d.number(),
        1 => x * d.number(),
        2 => d.number() - x,
        3 => x.leaky_relu(d.number()),
        4 => { let low = d.number(); x.clamp(low, low + 1.0) }
        _ => x.elu(d.number()),
    };
    compare(x; d) = match d.below(3) { 0 => x.gt_scalar(d.number()), 1 => x.lt_scalar(d.number()), _ => x.eq_scalar(0.0) };
    choose(c, x, y; _d) = Tensor::select_where(c, x, y);
    fill(x, m; d) = x.masked_fill(m, d.number());
    cast(x; d) = x.to_dtype(DType::ALL[d.below(6)]);
    half(x; d) = x.to_dtype([DType::F16, DType::BF16][d.below(2)]);
    reshape(x; d) = x.reshape(another_shape(x, d));
    permute(x; d) = {
        let mut axes: Vec<isize> = (0..x.rank() as isize).collect();
        axes.shuffle(&mut d.pick);
        x.permute(&axes)
    };
    slice(x; d) = part(x, d);
    step(x; d) = { let axis = d.axis(x); let by = 1 + d.below(3); part(x, d).slice_step(axis, .., by) };
    select(x; d) = {
        let axis = d.axis(x);
        let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
        x.select(axis, d.data.random_range(0..dim.max(1)))
    };
    flip(x; d) = x.flip(&d.axes(x));
    expand(x; d) = {
        let axis = d.below(x.rank() + 1) as isize;
        let mut dims = x.shape().to_vec();
        dims.insert(axis as usize, 1 + d.below(4));
        x.unsqueeze(axis).expand(dims)
    };
    unfold(x; d) = {
        let axis = d.axis(x);
        let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
        x.unfold(axis, 1 + d.below(dim), 1 + d.below(2))
    };
    diagonal(x; d) = x.diagonal(d.below(3) as isize - 1);
    triangle(x; d) = if d.below(2) == 0 { x.tril(d.below(3) as isize - 1) } else { x.triu(d.below(3) as isize - 1) };
    contiguous(x; _d) = x.contiguous();
    sum(x; d) = { let axes = d.axes(x); if d.below(2) == 0 { x.sum_axes(&axes) } else { x.mean_axes(&axes) } };
    extreme(x; d) = { let axes = d.axes(x); if d.below(2) == 0 { x.max_axes(&axes) } else { x.min_axes(&axes) } };
    fold(x; d) = {
        let axes = d.axes(x);
        match d.below(4) { 0 => x.tanh().prod_axes(&axes), 1 => x.any_axes(&axes), 2 => x.all_axes(&axes), _ => float(x).logsumexp(&axes) }
    };
    spread(x; d) = { let axes = d.axes(x); x.var_axes(&axes, Correction::Population) };
    place(x; d) = { let axis = d.axis(x); if d.below(2) == 0 { x.argmax_axis(axis) } else { x.argmin_axis(axis) } };
    argsort(x; d) = { let axis = d.axis(x); x.argsort(axis, [Order::Ascending, Order::Descending][d.below(2)]) };
    sort(x; d) = { let axis = d.axis(x); x.sort(axis, [Order::Ascending, Order::Descending][d.below(2)]) };
    top(x; d) = {
        let axis = d.axis(x);
        let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
        x.topk(d.below(dim + 1), axis).0
    };
    product(x, y; _d) = x.matmul(y);
    product_of_turned(x, y; _d) = x.matmul(&y.t());
    square_product(x; d) = match d.below(3) { 0 => x.matmul(&x.t()), 1 => x.t().matmul(x), _ => x.t().matmul(&x.flip(&[0])) };
    layer(x, w, b; _d) = (&x.matmul(w) + b).relu();
    join(x, y; d) = { let axis = d.axis(x); Tensor::cat(&[x, y], axis) };
    join_flat(x, y, z; _d) = Tensor::cat(&[&x.flatten(), &y.flatten(), &z.flatten()], 0);
    join_with_itself(x; d) = { let axis = d.axis(x); Tensor::cat(&[x, &x.flip(&[axis]), x], axis) };
    join_made(x, y; _d) = Tensor::cat(&[&(x * 0.5).flatten(), &y.sin().flatten(), &(x + y).flatten()], 0);
    stack(x, y; d) = Tensor::stack(&[x, y], d.below(x.rank() + 1) as isize);
    split(x; d) = {
        let axis = d.axis(x);
        let parts = x.split(1 + d.below(4), axis);
        let which = d.below(parts.len());
        (&parts[which] * 0.5) + &parts[0].slice(axis, ..0).sum_axes(&[])
    };
    pad(x; d) = { let borders: Vec<_> = (0..x.rank()).map(|_| (d.below(3), d.below(2))).collect(); x.pad(&borders, d.number()) };
    cumsum(x; d) = x.cumsum(d.axis(x));
    softmax(x; d) = { let axis = d.axis(x); if d.below(2) == 0 { x.softmax(axis) } else { x.log_softmax(axis) } };
    normal(x; d) = if d.below(2) == 0 { x.layer_norm(None, None, 0.1) } else { x.rms_norm(None, 0.1) };
    gather(x; d) = {
        let axis = d.axis(x);
        let mut dims = x.shape().to_vec();
        let Some(dim) = dims.get(axis as usize).copied() else { return x.clone() };
        dims[axis as usize] = if dim == 0 { 0 } else { d.below(6) };
        x.gather(axis, &d.places(dim, &dims, x))
    };
    gather_sorted(x; d) = { let axis = d.axis(x); x.gather(axis, &x.argsort(axis, Order::Descending)) };
    pick(x; d) = {
        let axis = d.axis(x);
        let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
        let count = if dim == 0 { 0 } else { d.below(6) };
        x.index_select(axis, &d.places(dim, &[count], x))
    };
    scatter(x; d) = {
        let axis = d.axis(x);
        let dim = x.shape().get(axis as usize).copied().unwrap_or(0);
        let count = if dim == 0 { 0 } else { 1 + d.below(6) };
        let dims: Vec<usize> = x.shape().iter().enumerate().map(|(a, &n)| if a == axis as usize { count } else { n }).collect();
        let src = x.slice(axis, ..dim.min(1)).expand(dims);
        x.index_add(axis, &d.places(dim, &[count], x), &src)
    };
    one_hot(x; d) = x.abs().to_dtype(DType::U32).one_hot(1 + d.below(4));
}
