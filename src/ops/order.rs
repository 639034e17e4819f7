//! The order of elements, as a number that sorts as they do: one definition for sorting and for finding extremes.

use crate::dtype::DType;

/// Which way elements are ordered. NaN comes last in both; `-0` and `0` are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

impl Order {
    /// The place of a stored value (not 16 bits wide) in this order: a smaller number comes first, NaN has the largest.
    pub(crate) fn key(self, dtype: DType, word: u32) -> u32 {
        let ascending = match dtype {
            DType::F32 | DType::F16 | DType::BF16 => {
                if f32::from_bits(word).is_nan() {
                    return u32::MAX;
                }
                let word = if word == 1 << 31 { 0 } else { word };
                if word >> 31 == 1 { !word } else { word | 1 << 31 }
            }
            DType::I32 => word ^ 1 << 31,
            DType::U32 | DType::Bool => word,
        };
        match self {
            Order::Ascending => ascending,
            Order::Descending => !ascending,
        }
    }

    /// [`Order::key`] as the WGSL function `key`.
    pub(crate) fn wgsl(self, dtype: DType) -> String {
        let (nan, ascending) = match dtype {
            DType::F32 | DType::F16 | DType::BF16 => (
                "    if ((word & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }\n",
                "    let bits = select(word, 0u, word == 0x80000000u);\n    \
                 let ascending = select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);\n",
            ),
            DType::I32 => ("", "    let ascending = word ^ 0x80000000u;\n"),
            DType::U32 | DType::Bool => ("", "    let ascending = word;\n"),
        };
        let flip = match self {
            Order::Ascending => "",
            Order::Descending => "~",
        };
        format!("fn key(word: u32) -> u32 {{\n{nan}{ascending}    return {flip}ascending;\n}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_values_do_and_nan_is_last_both_ways() {
        let sorted = [f32::NEG_INFINITY, f32::MIN, -1.0, -f32::MIN_POSITIVE, -1e-45, 0.0, 1e-45, 2.5, f32::INFINITY];
        for (order, sign) in [(Order::Ascending, 1), (Order::Descending, -1)] {
            let key = |x: f32| order.key(DType::F32, x.to_bits());
            for pair in sorted.windows(2) {
                assert_eq!(key(pair[0]).cmp(&key(pair[1])) as i32, -sign, "{pair:?}");
            }
            assert_eq!(key(-0.0), key(0.0));
            for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
                assert!(sorted.iter().all(|&x| key(x) < key(nan)));
            }
            for pair in [i32::MIN, -1, 0, i32::MAX].windows(2) {
                let [a, b] = [pair[0], pair[1]].map(|x| order.key(DType::I32, x.cast_unsigned()));
                assert_eq!(a.cmp(&b) as i32, -sign);
            }
        }
    }
}
