//! What a repeated step must not create again.

use super::*;

#[test]
fn run_time_words_change_without_building_anything() {
    let Some(gpu) = open() else { return };
    let prepared = gpu.prepare(vec![axpy(100)]).unwrap();
    let (a, b, o) =
        (gpu.upload(&floats(&[1.0; 100])).unwrap(), gpu.upload(&floats(&[2.0; 100])).unwrap(), gpu.alloc(100).unwrap());
    let buffers = [a, b, o];
    gpu.run(&prepared, &buffers, &[0]).unwrap();
    let before = gpu.stats();
    // Unread runs in between must see their own words, not the last ones.
    for scale in [1.0f32, 5.0, 5.0, -3.0] {
        gpu.run(&prepared, &buffers, &[scale.to_bits()]).unwrap();
        let copy = gpu.prepare(vec![axpy(100)]).unwrap();
        let sum = gpu.alloc(100).unwrap();
        gpu.run(&copy, &[buffers[2].clone(), buffers[1].clone(), sum.clone()], &[0]).unwrap();
        gpu.run(&prepared, &buffers, &[0]).unwrap();
        assert_eq!(read(&gpu, &sum).unwrap(), vec![1.0 + 2.0 * scale; 100]);
    }
    let after = gpu.stats();
    assert_eq!(after.pipelines, before.pipelines);
    assert_eq!(after.bind_groups - before.bind_groups, 4, "one for each new plan, none for the first");
}

#[test]
fn a_repeated_step_creates_no_buffers_and_no_bind_groups() {
    let Some(gpu) = open() else { return };
    let n = 3000;
    let prepared = gpu.prepare(chain(n, 5)).unwrap();
    let weights = gpu.upload(&floats(&vec![1.0; n])).unwrap();
    let mut after_third = None;
    for step in 0..100u32 {
        let mut buffers = vec![gpu.upload(&floats(&vec![step as f32; n])).unwrap(), weights.clone()];
        buffers.extend((0..5).map(|_| gpu.alloc(n).unwrap()));
        gpu.run(&prepared, &buffers, &[(step as f32).to_bits()]).unwrap();
        if step % 10 == 0 {
            assert_eq!(read(&gpu, &buffers[6]).unwrap(), vec![6.0 * step as f32; n]);
        }
        drop(buffers);
        let now = gpu.stats();
        if step == 2 {
            after_third = Some(now);
        } else if let Some(then) = after_third {
            assert_eq!(
                (now.buffers, now.pipelines, now.bind_groups),
                (then.buffers, then.pipelines, then.bind_groups),
                "step {step}"
            );
        }
    }
    assert!(gpu.stats().bytes_in_use < gpu.stats().bytes_pooled);
}

#[test]
fn a_dropped_buffer_is_reused_by_later_work_only() {
    let Some(gpu) = open() else { return };
    let n = 20_000;
    let prepared = gpu.prepare(vec![axpy(n)]).unwrap();
    let ones = gpu.upload(&floats(&vec![1.0; n])).unwrap();
    // Each result stays queued while its inputs' blocks go to the next upload.
    let results: Vec<GpuBuffer> = (0..50)
        .map(|i| {
            let buffers = [gpu.upload(&floats(&vec![i as f32; n])).unwrap(), ones.clone(), gpu.alloc(n).unwrap()];
            gpu.run(&prepared, &buffers, &[1f32.to_bits()]).unwrap();
            let [_, _, result] = buffers;
            result
        })
        .collect();
    assert_eq!(gpu.stats().buffers, 1 + 1 + 50, "one block served all inputs");
    for (i, result) in results.iter().enumerate() {
        assert_eq!(read(&gpu, result).unwrap(), vec![1.0 + i as f32; n]);
    }
}

#[test]
fn trim_gives_free_blocks_back_and_work_goes_on() {
    let Some(gpu) = open() else { return };
    let prepared = gpu.prepare(vec![axpy(1000)]).unwrap();
    for _ in 0..3 {
        axpy_is_right(&gpu, &prepared, 1000, 2.0).unwrap();
        assert!(gpu.stats().bytes_pooled > 0);
        gpu.trim();
        assert_eq!((gpu.stats().bytes_pooled, gpu.stats().bytes_in_use), (0, 0));
    }
}

#[test]
fn a_loop_that_never_reads_keeps_little_in_flight() {
    let Some(gpu) = open() else { return };
    let prepared = gpu.prepare(vec![axpy(100)]).unwrap();
    let buffers = [gpu.alloc(100).unwrap(), gpu.alloc(100).unwrap(), gpu.alloc(100).unwrap()];
    for i in 0..2000 {
        gpu.run(&prepared, &buffers, &[i]).unwrap();
        assert!(gpu.0.in_flight() <= 32);
    }
    gpu.wait().unwrap();
    assert_eq!(gpu.0.in_flight(), 0);
}

#[test]
fn uploads_without_runs_do_not_pile_up() {
    let Some(gpu) = open() else { return };
    let before = gpu.stats().submits;
    for i in 0..1000 {
        gpu.upload(&[i]).unwrap();
    }
    assert!(gpu.stats().submits > before, "they were submitted by themselves");
    assert_eq!(gpu.stats().buffers, 1);
}
