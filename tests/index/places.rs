//! Elements picked and placed by index tensors.

use crate::{check_linear, devices, error, values};
use tilework::{DType, Device, Tensor};

/// `n` indices below `m`, in no order.
fn indices(n: usize, m: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 7919 + i / 3) % m.max(1)) as u32).collect()
}

fn u32s(values: &[u32], shape: &[usize], device: &Device) -> Tensor {
    Tensor::from_slice(values, shape, device)
}

#[test]
fn gather_picks_elements_along_any_axis() {
    for device in devices() {
        for [a, m, n, b] in [[1, 1, 1, 1], [2, 3, 5, 4], [3, 7, 255, 1], [1, 2, 256, 3], [5, 257, 2, 1], [2, 4, 0, 3]] {
            let x = values(a * m * b);
            let index = indices(a * n * b, m);
            let expected: Vec<f32> =
                (0..a * n * b).map(|at| x[(at / b / n * m + index[at] as usize) * b + at % b]).collect();
            let tensor = Tensor::from_slice(&x, [a, m, b], &device);
            let index = u32s(&index, &[a, n, b], &device);
            let case = format!("{a} {m} {n} {b} {device}");
            assert_eq!(tensor.gather(1, &index).to_vec::<f32>().unwrap(), expected, "{case}");
            // The same through views: transposed, flipped, cut, and an index of the other type.
            let view = tensor.permute(&[2, 0, 1]).contiguous().permute(&[1, 2, 0]);
            let other = index.to_dtype(DType::I32).flip(&[0]).contiguous().flip(&[0]);
            assert_eq!(view.gather(-2, &other).to_vec::<f32>().unwrap(), expected, "views {case}");
            let larger = tensor.pad(&[(0, 1), (0, 0), (0, 2)], 0.0);
            assert_eq!(larger.gather(1, &index).to_vec::<f32>().unwrap(), expected, "from a larger one {case}");
        }
    }
}

#[test]
fn rows_are_selected_and_taken() {
    for device in devices() {
        let x = values(7 * 13);
        let table = Tensor::from_slice(&x, [7, 13], &device);
        for n in [0, 1, 6, 255, 256, 257] {
            let index = indices(n, 7);
            let expected: Vec<f32> = index.iter().flat_map(|&i| x[i as usize * 13..][..13].to_vec()).collect();
            let rows = table.index_select(0, &u32s(&index, &[n], &device));
            assert_eq!(rows.to_vec::<f32>().unwrap(), expected, "{n} {device}");
            let columns = table.t().index_select(1, &u32s(&index, &[n], &device));
            assert_eq!(columns.t().to_vec::<f32>().unwrap(), expected, "{n} {device}");
        }
        let tokens = u32s(&[6, 0, 3, 3, 1, 2], &[2, 3], &device);
        let taken = table.take(0, &tokens);
        assert_eq!(taken.shape(), [2, 3, 13]);
        assert_eq!(taken.to_vec::<f32>().unwrap()[3 * 13..4 * 13], x[3 * 13..4 * 13]);
        assert_eq!(table.take(1, &u32s(&[5], &[], &device)).shape(), [7]);
        assert_eq!(table.take(-1, &tokens).shape(), [7, 2, 3]);
        let half = table.to_dtype(DType::F16).index_select(0, &u32s(&[1], &[1], &device));
        assert_eq!(half.dtype(), DType::F16);
        assert_eq!(half.to_dtype(DType::F32).to_vec::<f32>().unwrap(), x[13..26], "multiples of 1/8 fit f16");
    }
}

#[test]
fn more_elements_than_one_grid_dimension_holds_are_gathered() {
    let n = 65_535 * 256 + 300;
    for device in devices() {
        let x = Tensor::arange(0u32..1000, &device);
        let index: Vec<u32> = (0..n as u32).map(|i| i.wrapping_mul(2_654_435_761) % 1000).collect();
        let y = x.index_select(0, &u32s(&index, &[n], &device)).to_vec::<u32>().unwrap();
        assert!(y == index, "{device}");
    }
}

#[test]
fn an_index_out_of_range_reads_nan_or_zero_and_adds_nothing() {
    for device in devices() {
        let x = Tensor::from_vec(vec![1.0, 2.0, 3.0], [3], &device).tracked();
        for index in [u32s(&[3, 1, u32::MAX], &[3], &device), Tensor::from_vec(vec![-1, 1, i32::MIN], [3], &device)] {
            let y = x.gather(0, &index);
            let values = y.to_vec::<f32>().unwrap();
            assert!(values[0].is_nan() && values[1] == 2.0 && values[2].is_nan(), "{values:?} {device}");
            let whole = x.to_dtype(DType::I32).index_select(0, &index);
            assert_eq!(whole.to_vec::<i32>().unwrap(), [0, 2, 0], "{device}");
            let dx = y.sum().backward().unwrap().get(&x).unwrap();
            assert_eq!(dx.to_vec::<f32>().unwrap(), [0.0, 1.0, 0.0], "{device}");
            let placed = x.detach().scatter_add(0, &index, &x);
            assert_eq!(placed.to_vec::<f32>().unwrap(), [1.0, 4.0, 3.0], "{device}");
            let dx = placed.sum().backward().unwrap().get(&x).unwrap();
            assert_eq!(dx.to_vec::<f32>().unwrap(), [0.0, 1.0, 0.0], "{device}");
        }
        let none = Tensor::zeros([0, 2], &device).index_select(0, &u32s(&[0], &[1], &device));
        assert!(none.to_vec::<f32>().unwrap().iter().all(|v| v.is_nan()), "{device}");
    }
}

#[test]
fn scatter_add_adds_every_element_where_its_index_says() {
    for device in devices() {
        // The last cases sort lanes longer than a block, and add runs that reach over many chunks.
        let cases = [[1, 1, 1, 1], [2, 3, 5, 4], [3, 7, 255, 1], [1, 2, 256, 3], [5, 257, 2, 1], [2, 4, 0, 3]];
        for [a, m, n, b] in cases.into_iter().chain([[2, 3, 1500, 2], [1, 1, 2049, 1], [1, 600, 2000, 1]]) {
            let (src, base) = (values(a * n * b), values(a * m * b));
            let index = indices(a * n * b, m + 1); // some out of range
            let mut expected = base.clone();
            for (at, (&x, &v)) in src.iter().zip(&index).enumerate() {
                if (v as usize) < m {
                    expected[(at / b / n.max(1) * m + v as usize) * b + at % b] += x; // exact: multiples of 1/8
                }
            }
            let base = Tensor::from_slice(&base, [a, m, b], &device);
            let src = Tensor::from_slice(&src, [a, n, b], &device);
            let index = u32s(&index, &[a, n, b], &device);
            let case = format!("{a} {m} {n} {b} {device}");
            assert_eq!(base.scatter_add(1, &index, &src).to_vec::<f32>().unwrap(), expected, "{case}");
            let larger = src.pad(&[(0, 2), (0, 1), (0, 1)], 9.0);
            assert_eq!(base.scatter_add(1, &index, &larger).to_vec::<f32>().unwrap(), expected, "{case}");
            let wide = base.pad(&[(0, 0), (0, 0), (0, 2)], 5.0).scatter_add(1, &index, &src);
            assert_eq!(wide.slice(2, ..b).to_vec::<f32>().unwrap(), expected, "{case}");
            assert!(wide.slice(2, b..).to_vec::<f32>().unwrap().iter().all(|&v| v == 5.0), "{case}");
        }
    }
}

#[test]
fn index_add_sums_groups_however_uneven() {
    for device in devices() {
        for (n, m, d) in [(1, 1, 1), (300, 5, 7), (5000, 3, 1), (4099, 1000, 3), (70_001, 2, 1)] {
            for skewed in [false, true] {
                let mut index = indices(n, m);
                if skewed {
                    index.iter_mut().skip(n / 8).for_each(|i| *i = (m / 2) as u32);
                }
                let src: Vec<i32> = (0..n * d).map(|i| (i % 1013) as i32 - 500).collect();
                let mut expected = vec![1i32; m * d];
                for (k, &v) in index.iter().enumerate() {
                    for i in 0..d {
                        expected[v as usize * d + i] += src[k * d + i];
                    }
                }
                let case = format!("{n} {m} {d} {skewed} {device}");
                let base = Tensor::full([m, d], 1i32, &device);
                let src = Tensor::from_slice(&src, [n, d], &device);
                let index = u32s(&index, &[n], &device);
                assert_eq!(base.index_add(0, &index, &src).to_vec::<i32>().unwrap(), expected, "{case}");
                let floats = base.t().to_dtype(DType::F32).index_add(1, &index, &src.t().to_dtype(DType::F32));
                assert_eq!(floats.t().to_dtype(DType::I32).to_vec::<i32>().unwrap(), expected, "{case}"); // exact: below 2^24
            }
        }
    }
}

#[test]
fn sums_by_index_have_the_same_bits_in_every_run() {
    for device in devices() {
        let n = 9973;
        let src: Vec<f32> = values(n).iter().map(|v| v.exp()).collect();
        let src = Tensor::from_vec(src, [n], &device);
        let index = u32s(&indices(n, 11), &[n], &device);
        let run = || Tensor::zeros([11], &device).index_add(0, &index, &src).to_vec::<f32>().unwrap();
        assert_eq!(run(), run(), "{device}");
    }
}

#[test]
fn gradients_of_picking_and_placing_are_each_other() {
    check_linear("gather", &[3, 4], |x| x.gather(1, &u32s(&[0, 0, 3, 1, 2, 2], &[3, 2], x.device())));
    check_linear("gather from a larger one", &[3, 4], |x| x.gather(0, &u32s(&[2, 2, 0], &[1, 3], x.device())));
    check_linear("index_select", &[5, 3], |x| x.index_select(0, &u32s(&[4, 0, 4, 4, 1], &[5], x.device())));
    check_linear("index_select of columns", &[2, 5], |x| x.index_select(1, &u32s(&[4, 0, 4], &[3], x.device())));
    check_linear("take", &[4, 2], |x| x.take(0, &u32s(&[1, 1, 3, 0], &[2, 2], x.device())));
    check_linear("scatter_add by src", &[4, 3], |x| {
        let index = u32s(&[1, 0, 1, 5, 1, 0], &[2, 3], x.device());
        Tensor::zeros([2, 4], x.device()).scatter_add(0, &index, x)
    });
    check_linear("scatter_add by base", &[2, 3], |x| {
        x.scatter_add(1, &u32s(&[1, 0], &[2, 1], x.device()), &x.exp().detach().zeros_like())
    });
    check_linear("index_add", &[3, 2], |x| x.zeros_like().index_add(0, &u32s(&[2, 2, 0], &[3], x.device()), x));
    check_linear("embedding of more tokens than a chunk", &[3, 2], |x| {
        x.take(0, &u32s(&indices(700, 3), &[700], x.device())).reshape([100, 7, 2]).sum_axes(&[0])
    });
}

#[test]
fn one_hot_marks_the_class() {
    for device in devices() {
        let classes = u32s(&[2, 0, 9], &[3], &device);
        let expected = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(classes.one_hot(3).to_vec::<f32>().unwrap(), expected, "{device}");
        let signed = Tensor::from_vec(vec![2, 0, -1], [3], &device);
        assert_eq!(signed.one_hot(3).to_vec::<f32>().unwrap(), expected, "{device}");
        assert_eq!(u32s(&[1; 4], &[2, 2], &device).one_hot(5).shape(), [2, 2, 5]);
    }
}

#[test]
fn triangles_and_diagonals_are_those_of_the_definition() {
    for device in devices() {
        for (r, c) in [(1, 1), (3, 5), (5, 3), (4, 4), (0, 2), (3, 0)] {
            let x = values(2 * r * c).iter().map(|v| v + 9.0).collect::<Vec<_>>(); // no zeros
            let tensor = Tensor::from_slice(&x, [2, r, c], &device);
            for offset in [-9isize, -2, -1, 0, 1, 2, 9] {
                let at = |i: usize| (i / c % r, i % c);
                let keep = |keep: &dyn Fn(isize) -> bool| -> Vec<f32> {
                    let right = |i: usize| at(i).1 as isize - at(i).0 as isize;
                    x.iter().enumerate().map(|(i, &v)| if keep(right(i)) { v } else { 0.0 }).collect()
                };
                let case = format!("{r} {c} {offset} {device}");
                assert_eq!(tensor.tril(offset).to_vec::<f32>().unwrap(), keep(&|right| right <= offset), "{case}");
                assert_eq!(tensor.triu(offset).to_vec::<f32>().unwrap(), keep(&|right| right >= offset), "{case}");
                let on = (0..x.len()).filter(|&i| at(i).1 as isize - at(i).0 as isize == offset);
                let diagonal: Vec<f32> = on.map(|i| x[i]).collect();
                assert_eq!(tensor.diagonal(offset).to_vec::<f32>().unwrap(), diagonal, "{case}");
            }
        }
    }
    check_linear("diagonal", &[2, 3, 4], |x| x.diagonal(1));
    check_linear("tril", &[3, 4], |x| x.tril(-1));
    check_linear("triu", &[3, 4], |x| x.triu(1));
}

#[test]
fn what_does_not_fit_is_said() {
    let cpu = Device::cpu();
    let x = Tensor::zeros([2, 3], &cpu);
    let index = Tensor::zeros([2, 3], &cpu).to_dtype(DType::U32);
    let cases = [
        (x.gather(2, &index), "gather: axis 2 is out of range for shape [2, 3]"),
        (x.gather(0, &x), "gather: an index is u32 or i32: given f32"),
        (x.gather(0, &index.flatten()), "gather: index [6] does not fit shape [2, 3] along axis 0"),
        (
            x.gather(0, &index.pad(&[(0, 0), (0, 1)], 0.0)),
            "gather: index [2, 4] does not fit shape [2, 3] along axis 0",
        ),
        (x.index_select(0, &index), "index_select: index [2, 3] does not fit shape [2, 3] along axis 0"),
        (x.take(0, &x), "take: an index is u32 or i32: given f32"),
        (
            x.scatter_add(0, &index, &x.slice(0, ..1)),
            "scatter_add: index [2, 3] does not fit src [1, 3] and shape [2, 3]",
        ),
        (x.scatter_add(0, &x, &x), "scatter_add: an index is u32 or i32: given f32"),
        (x.index_add(0, &index.flatten(), &x), "index_add: index [6] does not fit what is added, [2, 3], along axis 0"),
        (x.index_add(0, &index, &x.t()), "index_add: src [3, 2] does not fit shape [2, 3] along axis 0"),
        (x.one_hot(3), "one_hot: classes are u32 or i32: given f32"),
        (x.flatten().tril(0), "tril: needs a matrix in the last two dimensions: given shape [6]"),
        (x.flatten().diagonal(0), "diagonal: needs a matrix in the last two dimensions: given shape [6]"),
    ];
    for (failed, text) in cases {
        assert!(error(&failed).starts_with(text), "{} is not {text}", error(&failed));
    }
    let first = x.matmul(&x);
    assert_eq!(error(&x.gather(0, &first)), error(&first));
    assert_eq!(error(&x.scatter_add(0, &index, &first)), error(&first));
    assert_eq!(error(&first.sort(0, tilework::Order::Ascending)), error(&first));
}
