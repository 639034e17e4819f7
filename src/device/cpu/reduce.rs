//! stub
/// stub
pub fn sum(x: &[f32]) -> f32 {
    x.iter().sum()
}
/// stub
pub fn prod(x: &[f32]) -> f32 {
    x.iter().product()
}
/// stub
pub fn max(x: &[f32]) -> f32 {
    x.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a || b.is_nan() { b } else { a })
}
/// stub
pub fn min(x: &[f32]) -> f32 {
    x.iter().fold(f32::INFINITY, |a, &b| if b < a || b.is_nan() { b } else { a })
}
