//! Pictures turned as their camera was held.

use super::Image;

/// The orientation in EXIF data, 1 to 8; 1, which is upright, where there is none that can be read. Source: EXIF 2.32, 4.6.4; the
/// data is a TIFF file, whose first directory has the tag 0x0112.
pub(super) fn orientation(exif: &[u8]) -> u16 {
    tag(exif).filter(|found| (1..=8).contains(found)).unwrap_or(1)
}

fn tag(exif: &[u8]) -> Option<u16> {
    const ORIENTATION: u16 = 0x0112;
    const SHORT: u16 = 3;
    let big = match exif.first_chunk()? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let bytes = *exif.get(4..)?.first_chunk()?;
    let directory = usize::try_from(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()?;
    let entries = usize::from(short(directory)?);
    let mut places = (0..entries).map_while(|i| directory.checked_add(2 + 12 * i));
    let place = places.find(|&at| short(at) == Some(ORIENTATION) && short(at + 2) == Some(SHORT))?;
    short(place + 8)
}

impl Image {
    /// The picture that was stored with this orientation as it is to be seen: Pillow's `exif_transpose`.
    pub(super) fn upright(self, orientation: u16) -> Image {
        let mut image = if orientation >= 5 { self.transposed() } else { self };
        if matches!(orientation, 2 | 3 | 6 | 7) {
            image = image.flip_horizontal();
        }
        if matches!(orientation, 3 | 4 | 7 | 8) {
            image = image.flip_vertical();
        }
        image
    }

    /// Rows as columns.
    fn transposed(&self) -> Image {
        let channels = self.color.channels();
        let places = (0..self.width).flat_map(|x| (0..self.height).map(move |y| (y, x)));
        let pixel = |(y, x): (usize, usize)| self.row(y).chunks_exact(channels).nth(x).unwrap_or_default();
        let pixels = places.flat_map(pixel).copied().collect();
        Image { pixels, height: self.width, width: self.height, color: self.color }
    }
}
