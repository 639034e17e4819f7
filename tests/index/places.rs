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
