//! How inputs reach the block evaluator: in place, as one repeated value, or gathered from any view.

use crate::dtype::DType;
use crate::shape::{Layout, MAX_RANK};

/// An input of a run over a range of elements.
#[derive(Clone, Copy, Debug)]
pub enum Lane<'a> {
    /// The range's elements one after another, beginning with the first; 32 bits each.
    Slice(&'a [u32]),
    /// One value for all elements, as its 32-bit register holds it.
    Splat(u32),
    /// Any other view, gathered block by block: broadcast rows and columns, strides, transposes, 16-bit elements.
    View {
        /// The storage.
        words: &'a [u32],
        /// Its element type.
        dtype: DType,
        /// The whole view, of the outputs' shape. Walked fastest when [collapsed](Layout::collapse).
        layout: &'a Layout,
        /// The range's first element, counted in row-major order of the view.
        start: usize,
    },
}

impl<'a> Lane<'a> {
    /// The cheapest lane for elements `start..start + len` of a view, in row-major order.
    pub fn of(dtype: DType, words: &'a [u32], layout: &'a Layout, start: usize, len: usize) -> Lane<'a> {
        if layout.is_scalar() && layout.numel() > 0 {
            return Lane::Splat(load(dtype, words, layout.offset));
        }
        let first = layout.offset + start;
        match words.get(first..first + len) {
            Some(run) if dtype.size() == 4 && layout.is_contiguous() => Lane::Slice(run),
            _ => Lane::View { words, dtype, layout, start },
        }
    }

    /// The elements of a slice; of another lane nothing.
    pub(super) fn slice(&self) -> &'a [u32] {
        if let Lane::Slice(words) = *self { words } else { &[] }
    }
}

/// Element `place` of a storage, as its 32-bit register holds it: 16-bit floats are widened.
pub fn load(dtype: DType, words: &[u32], place: usize) -> u32 {
    let word = |place: usize| words.get(place).copied().unwrap_or(0);
    match dtype {
        DType::F16 => widen_f16(half(word(place / 2), place)),
        DType::BF16 => half(word(place / 2), place) << 16,
        _ => word(place),
    }
}

/// Elements `start..start + out.len()` of a view, in row-major order, as their 32-bit registers hold them.
pub fn gather(dtype: DType, words: &[u32], layout: &Layout, start: usize, out: &mut [u32]) {
    debug_assert!(start + out.len() <= layout.numel(), "gather past the end of {layout:?}");
    let (dims, strides) = (layout.shape.dims(), layout.strides());
    let (Some(&inner), Some(&stride)) = (dims.last(), strides.last()) else {
        return out.fill(load(dtype, words, layout.offset));
    };
    if layout.numel() == 0 {
        return;
    }
    let mut index = [0; MAX_RANK];
    let mut place = layout.offset as isize;
    let mut rest = start;
    for axis in (0..dims.len()).rev() {
        index[axis] = rest % dims[axis];
        rest /= dims[axis];
        place += index[axis] as isize * strides[axis];
    }
    let last = dims.len() - 1;
    let mut out = out;
    while !out.is_empty() {
        let count = out.len().min(inner - index[last]);
        let (piece, after) = out.split_at_mut(count);
        copy(dtype, words, place as usize, stride, piece);
        out = after;
        place += count as isize * stride;
        index[last] += count;
        for axis in (1..=last).rev() {
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
            index[axis - 1] += 1;
            place += strides[axis - 1] - dims[axis] as isize * strides[axis];
        }
    }
}

/// `out.len()` elements from `place` on, `stride` apart.
fn copy(dtype: DType, words: &[u32], place: usize, stride: isize, out: &mut [u32]) {
    match (dtype.size(), stride) {
        (_, 0) => out.fill(load(dtype, words, place)),
        (4, 1) => {
            let run = words.get(place..place + out.len()).unwrap_or_default();
            out[..run.len()].copy_from_slice(run);
        }
        (2, 1) => copy_half(dtype, words, place, out),
        _ => {
            let mut at = place;
            for value in out {
                *value = load(dtype, words, at);
                at = at.wrapping_add_signed(stride);
            }
        }
    }
}

/// A run of 16-bit elements: ends that share a word by themselves, pairs in a loop that vectorises.
fn copy_half(dtype: DType, words: &[u32], place: usize, out: &mut [u32]) {
    let lead = (place % 2).min(out.len());
    let (head, body) = out.split_at_mut(lead);
    head.iter_mut().for_each(|value| *value = load(dtype, words, place));
    let place = place + lead;
    let pairs = words.get(place / 2..).unwrap_or_default();
    let (body, tail) = body.as_chunks_mut::<2>();
    let count = body.len();
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || match dtype {
            DType::BF16 => body.iter_mut().zip(pairs).for_each(|(out, &w)| *out = [w << 16, w & 0xffff_0000]),
            _ => body.iter_mut().zip(pairs).for_each(|(out, &w)| *out = [widen_f16(w & 0xffff), widen_f16(w >> 16)]),
        },
    );
    tail.iter_mut().for_each(|value| *value = load(dtype, words, place + 2 * count));
}

/// Packs floats that `dtype`, a 16-bit float, can hold, two to a word, the even one low.
pub fn pack_halves(dtype: DType, values: &[u32], words: &mut [u32]) {
    let half = |bits: u32| if dtype == DType::BF16 { bits >> 16 } else { narrow_f16(bits) };
    let (pairs, last) = values.as_chunks::<2>();
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || match dtype {
            DType::BF16 => {
                words.iter_mut().zip(pairs).for_each(|(w, &[low, high])| *w = low >> 16 | high & 0xffff_0000)
            }
            _ => {
                words.iter_mut().zip(pairs).for_each(|(w, &[low, high])| *w = narrow_f16(low) | narrow_f16(high) << 16)
            }
        },
    );
    if let ([last], Some(word)) = (last, words.get_mut(pairs.len())) {
        *word = half(*last);
    }
}

/// Element `place`'s half of its word.
fn half(word: u32, place: usize) -> u32 {
    (word >> (16 * (place % 2))) & 0xffff
}

/// The f32 bits of an f16's bits. The exponent's bias changes by a product with 2^112, which is exact and brings
/// subnormals into place; infinity and NaN get the largest exponent back.
#[inline(always)]
fn widen_f16(bits: u32) -> u32 {
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    magnitude.to_bits() | special | (bits & 0x8000) << 16
}

/// The f16's bits of the f32 bits of a value that it can hold: [`widen_f16`] backwards.
#[inline(always)]
fn narrow_f16(bits: u32) -> u32 {
    let magnitude = f32::from_bits(bits & 0x7fff_ffff) * f32::from_bits((127 - 112) << 23);
    let special =
        if bits & 0x7f80_0000 == 0x7f80_0000 { 0x7c00 | bits >> 13 & 0x3ff } else { magnitude.to_bits() >> 13 };
    special | bits >> 16 & 0x8000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Element;
    use crate::shape::Shape;
    use half::{bf16, f16};

    #[test]
    fn every_half_is_packed_as_it_was_unpacked() {
        for dtype in [DType::F16, DType::BF16] {
            let words: Vec<u32> = (0..=u32::from(u16::MAX)).map(|bits| bits | (bits ^ 0x5a5a) << 16).collect();
            let is_nan = |place: usize| f32::from_bits(load(dtype, &words, place)).is_nan();
            let wide: Vec<u32> = (0..2 * words.len()).map(|place| load(dtype, &words, place)).collect();
            let mut again = vec![0; words.len()];
            pack_halves(dtype, &wide, &mut again);
            for place in (0..wide.len()).filter(|&place| !is_nan(place)) {
                assert_eq!(half(again[place / 2], place), half(words[place / 2], place), "{dtype}");
            }
            pack_halves(dtype, &wide[1..4], &mut again);
            assert_eq!(again[1], half(words[1], 1), "a last word that is half full");
        }
    }

    #[test]
    fn floats_round_to_the_nearest_half() {
        use crate::expr::math::{to_bf16, to_f16};
        // every exponent and sign, with fractions around the ties
        for top in 0..=u16::MAX {
            for low in [0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let x = f32::from_bits(u32::from(top) << 16 | low);
                let (short, brain) = (f16::from_f32(x), bf16::from_f32(x));
                for (wanted, y, dtype) in
                    [(short.to_f32(), to_f16(x), DType::F16), (brain.to_f32(), to_bf16(x), DType::BF16)]
                {
                    assert!(
                        wanted.to_bits() == y.to_bits() || wanted.is_nan() && y.is_nan(),
                        "{x:e}: {y:e}, not {wanted:e}"
                    );
                    let mut word = [0];
                    pack_halves(dtype, &[y.to_bits()], &mut word);
                    assert_eq!(f32::from_bits(load(dtype, &word, 0)).is_nan(), x.is_nan());
                }
            }
        }
    }

    #[test]
    fn every_f16_widens_exactly() {
        for bits in 0..=u16::MAX {
            let (want, got) = (f16::from_bits(bits).to_f32(), f32::from_bits(widen_f16(u32::from(bits))));
            assert!(want == got && want.is_sign_negative() == got.is_sign_negative() || want.is_nan() && got.is_nan());
        }
    }

    fn check(dtype: DType, words: &[u32], layout: &Layout) {
        let places: Vec<u32> = layout.places().map(|place| load(dtype, words, place)).collect();
        for start in 0..places.len() {
            for len in [1, 2, 3, 7, places.len() - start] {
                let len = len.min(places.len() - start);
                let mut out = vec![0; len];
                gather(dtype, words, layout, start, &mut out);
                assert_eq!(out, places[start..start + len], "{dtype} {layout:?} from {start}");
            }
        }
    }

    #[test]
    fn gathering_walks_any_view_from_any_element() {
        let values: Vec<f32> = (0..240).map(|i| i as f32).collect();
        let whole = Layout::contiguous(Shape::of(&[4, 5, 12]));
        let views = [
            whole,
            whole.permute(&[2, 0, 1]),
            whole.permute(&[1, 2, 0]),
            whole.flip(2),
            whole.narrow(2, 3, 5, 2),
            whole.narrow(1, 1, 3, 1).narrow(2, 1, 7, 1),
            Layout::contiguous(Shape::of(&[12])).expand("t", &Shape::of(&[3, 12])).unwrap(),
            Layout::contiguous(Shape::of(&[6, 1])).expand("t", &Shape::of(&[6, 4])).unwrap(),
            Layout::contiguous(Shape::of(&[])).expand("t", &Shape::of(&[2, 3])).unwrap(),
            Layout::contiguous(Shape::of(&[9])).unfold(0, 3, 2),
        ];
        let half: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
        let brain: Vec<bf16> = values.iter().map(|&v| bf16::from_f32(v)).collect();
        for view in views {
            check(DType::F32, &f32::pack(&values), &view);
            check(DType::F16, &f16::pack(&half), &view);
            check(DType::BF16, &bf16::pack(&brain), &view);
        }
    }

    #[test]
    fn the_cheapest_lane_is_chosen() {
        let words = f32::pack(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let whole = Layout::contiguous(Shape::of(&[2, 3]));
        assert!(matches!(Lane::of(DType::F32, &words, &whole, 2, 3), Lane::Slice(run) if run == &words[2..5]));
        let one = Layout::contiguous(Shape::of(&[1, 1])).expand("t", &Shape::of(&[2, 3])).unwrap();
        assert!(matches!(Lane::of(DType::F32, &words, &one, 2, 3), Lane::Splat(w) if w == words[0]));
        assert!(matches!(Lane::of(DType::F32, &words, &whole.permute(&[1, 0]), 2, 3), Lane::View { start: 2, .. }));
    }
}
