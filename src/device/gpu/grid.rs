//! Workgroups in a line, folded over the three dimensions of a grid.

/// The smallest grid of at most `limit` workgroups a dimension that holds `groups` of them, preferring fewer dimensions.
/// `None` when there is none, or when numbering its groups would not fit 32 bits.
///
/// The grid may hold a few more groups than asked for: fewer than its rows. Shaders number them with `group_index` of
/// `lib/index.wgsl`, in the same order as here, and leave the ones past the end.
pub(super) fn fold(groups: u64, limit: u32) -> Option<[u32; 3]> {
    let limit = u64::from(limit.max(1));
    let z = groups.div_ceil(limit * limit).max(1);
    let plane = groups.div_ceil(z);
    let y = plane.div_ceil(limit).max(1);
    let x = plane.div_ceil(y);
    let all = x.checked_mul(y)?.checked_mul(z)?;
    if z > limit || all > u64::from(u32::MAX) {
        return None;
    }
    Some([u32::try_from(x).ok()?, u32::try_from(y).ok()?, u32::try_from(z).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_groups_stay_in_one_line() {
        assert_eq!(fold(0, 65_535), Some([0, 1, 1]));
        assert_eq!(fold(1, 65_535), Some([1, 1, 1]));
        assert_eq!(fold(65_535, 65_535), Some([65_535, 1, 1]));
        assert_eq!(fold(65_536, 65_535), Some([32_768, 2, 1]));
        assert_eq!(fold(8, 2), Some([2, 2, 2]));
    }

    #[test]
    fn what_no_grid_holds_is_refused() {
        assert_eq!(fold(9, 2), None);
        assert_eq!(fold(u64::from(u32::MAX) + 1, 65_535), None);
        assert_eq!(fold(u64::MAX, u32::MAX), None);
        assert_eq!(fold(u64::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn a_grid_holds_all_groups_within_the_limit_and_hardly_more(groups in 1u64..1 << 32, limit in 1u32..=65_535) {
            if let Some(grid) = fold(groups, limit) {
                let [x, y, z] = grid.map(u64::from);
                prop_assert!(grid.iter().all(|side| (1..=limit).contains(side)));
                prop_assert!(x * y * z >= groups);
                prop_assert!(x * y * z - groups < (y + 1) * z, "{grid:?}");
            } else {
                let most = u64::from(limit).pow(3).min(u64::from(u32::MAX) - 3 * 65_535 * u64::from(limit).min(300));
                prop_assert!(groups > most, "{groups} of {most}");
            }
        }
    }
}
