//! Numbers that lie line by line, turned round: eight by eight in vector registers where the processor has them.

/// Eight lines of eight numbers.
pub(super) type Square = [[f32; 8]; 8];

/// Writes number `k` of line `j` to `panel[k * width + j]`, for `depth` numbers of each line; zero where a line has none.
pub(super) fn turn<'a>(panel: &mut [f32], width: usize, depth: usize, line: impl Fn(usize) -> &'a [f32]) {
    for first in (0..width).step_by(8) {
        let lines: [&[f32]; 8] = std::array::from_fn(|j| line(first + j));
        #[cfg(target_arch = "x86_64")]
        let whole = match pulp::x86::V3::try_new() {
            Some(simd) if first + 8 <= width && lines.iter().all(|line| line.len() >= depth) => {
                pulp::Simd::vectorize(simd, x86::Squares { simd, panel, width, depth, first, lines })
            }
            _ => 0,
        };
        #[cfg(not(target_arch = "x86_64"))]
        let whole = 0;
        for (k, column) in panel.chunks_exact_mut(width).enumerate().take(depth).skip(whole) {
            for (place, line) in column[first..].iter_mut().zip(lines) {
                *place = line.get(k).copied().unwrap_or_default();
            }
        }
    }
}

/// The square with its lines as columns.
#[inline(always)]
pub(super) fn turned(square: &Square) -> Square {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return x86::turned(simd, square);
    }
    std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Square;
    use bytemuck::cast;
    use pulp::x86::V3;
    use pulp::{Simd, WithSimd};
    use std::arch::x86_64::__m256;

    pub struct Squares<'a> {
        pub simd: V3,
        pub panel: &'a mut [f32],
        pub width: usize,
        pub depth: usize,
        pub first: usize,
        pub lines: [&'a [f32]; 8],
    }

    impl WithSimd for Squares<'_> {
        /// The numbers of each line that were turned: whole squares.
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            let Squares { simd, panel, width, depth, first, lines } = self;
            let lines = lines.map(|line| line[..depth].as_chunks::<8>().0);
            let squares = lines[0].len();
            for (i, columns) in panel.chunks_exact_mut(8 * width).take(squares).enumerate() {
                let square = turned(simd, &std::array::from_fn(|j| lines[j][i]));
                for (column, numbers) in columns.chunks_exact_mut(width).zip(&square) {
                    column[first..first + 8].copy_from_slice(numbers);
                }
            }
            8 * squares
        }
    }

    #[inline(always)]
    pub fn turned(simd: V3, square: &Square) -> Square {
        // Straight on: within a closure the instructions would be calls.
        let s = simd.avx;
        let [a, b, c, d, e, f, g, h]: [__m256; 8] = cast(*square);
        let (ab, ab_high) = (s._mm256_unpacklo_ps(a, b), s._mm256_unpackhi_ps(a, b));
        let (cd, cd_high) = (s._mm256_unpacklo_ps(c, d), s._mm256_unpackhi_ps(c, d));
        let (ef, ef_high) = (s._mm256_unpacklo_ps(e, f), s._mm256_unpackhi_ps(e, f));
        let (gh, gh_high) = (s._mm256_unpacklo_ps(g, h), s._mm256_unpackhi_ps(g, h));
        // Of four lines: their numbers 0 and 4, 1 and 5, 2 and 6, 3 and 7.
        let (u0, u1) = (s._mm256_shuffle_ps::<0x44>(ab, cd), s._mm256_shuffle_ps::<0xee>(ab, cd));
        let (u2, u3) = (s._mm256_shuffle_ps::<0x44>(ab_high, cd_high), s._mm256_shuffle_ps::<0xee>(ab_high, cd_high));
        let (l0, l1) = (s._mm256_shuffle_ps::<0x44>(ef, gh), s._mm256_shuffle_ps::<0xee>(ef, gh));
        let (l2, l3) = (s._mm256_shuffle_ps::<0x44>(ef_high, gh_high), s._mm256_shuffle_ps::<0xee>(ef_high, gh_high));
        let eight = [
            s._mm256_permute2f128_ps::<0x20>(u0, l0),
            s._mm256_permute2f128_ps::<0x20>(u1, l1),
            s._mm256_permute2f128_ps::<0x20>(u2, l2),
            s._mm256_permute2f128_ps::<0x20>(u3, l3),
            s._mm256_permute2f128_ps::<0x31>(u0, l0),
            s._mm256_permute2f128_ps::<0x31>(u1, l1),
            s._mm256_permute2f128_ps::<0x31>(u2, l2),
            s._mm256_permute2f128_ps::<0x31>(u3, l3),
        ];
        cast(eight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_and_lines_of_any_length_are_turned() {
        let square: Square = std::array::from_fn(|i| std::array::from_fn(|j| (8 * i + j) as f32));
        let other = turned(&square);
        assert!((0..64).all(|at| other[at % 8][at / 8] == square[at / 8][at % 8]));
        for (count, width, depth) in [(32, 32, 24), (5, 16, 17), (16, 16, 7), (1, 8, 1), (10, 4, 9), (3, 4, 9)] {
            let values: Vec<f32> = (0..count * depth).map(|at| at as f32 + 1.0).collect();
            let line = |j: usize| values.get(j * depth..(j + 1) * depth).unwrap_or_default();
            let mut panel = vec![f32::NAN; width * depth];
            turn(&mut panel, width, depth, line);
            for (at, got) in panel.iter().enumerate() {
                let (k, j) = (at / width, at % width);
                let expected = if j < count { values[j * depth + k] } else { 0.0 };
                assert_eq!(*got, expected, "number {k} of line {j} of {count}, {width} across");
            }
        }
    }
}
