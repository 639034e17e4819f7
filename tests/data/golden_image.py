"""Writes `image.json`: what Pillow 13.0.0 makes of a picture; and `pictures/*`, the same picture in files of several kinds."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
FOLDER = HERE / "pictures"
FOLDER.mkdir(exist_ok=True)


def picture(height, width):
    """Noise of a linear congruential generator over a gradient: the same in any language."""
    state, out = 12345, []
    for i in range(height * width * 3):
        state = (1664525 * state + 1013904223) % 2**32
        out.append((i + (state >> 25)) % 256)
    return np.array(out, dtype=np.uint8).reshape(height, width, 3)


def flat(image):
    return np.asarray(image).ravel().tolist()


rgb = Image.fromarray(picture(13, 17))
grey = rgb.convert("L")
out = {"rgb": flat(rgb), "grey": flat(grey), "resize": []}
for height, width in [(5, 7), (13, 6), (4, 17), (16, 20), (1, 1), (14, 3), (13, 17)]:
    for name, kind in [("bilinear", Image.Resampling.BILINEAR), ("nearest", Image.Resampling.NEAREST)]:
        resized = {"rgb": flat(rgb.resize((width, height), kind)), "grey": flat(grey.resize((width, height), kind))}
        out["resize"].append({"height": height, "width": width, "filter": name, **resized})
out["crop"] = flat(rgb.crop((3, 2, 3 + 6, 2 + 5)))  # left, upper, right, lower
out["mirror"] = flat(rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
out["flip"] = flat(rgb.transpose(Image.Transpose.FLIP_TOP_BOTTOM))

rgb.save(FOLDER / "rgb.png")
grey.save(FOLDER / "grey.png")
Image.merge("RGBA", [*rgb.split(), grey]).save(FOLDER / "rgba.png")
Image.merge("LA", [grey, grey]).save(FOLDER / "grey_alpha.png")
few = rgb.quantize(16)
few.save(FOLDER / "palette.png")
out["palette"] = flat(few.convert("RGB"))
Image.fromarray(np.asarray(grey).astype(np.uint16) * 256 + 7).save(FOLDER / "grey_16.png")
grey.point(lambda v: 255 * (v > 127)).convert("1").save(FOLDER / "bits.png")

smooth = rgb.resize((40, 24), Image.Resampling.BILINEAR)
smooth.save(FOLDER / "rgb.jpg", quality=95)
smooth.save(FOLDER / "progressive.jpg", quality=95, progressive=True, subsampling=0)
smooth.convert("L").save(FOLDER / "grey.jpg", quality=95)
for name in ["rgb.jpg", "progressive.jpg", "grey.jpg"]:
    out[name] = flat(Image.open(FOLDER / name))

# Every pixel another, as each of the eight orientations stores it; and what Pillow makes of it.
places = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
out["upright"] = []
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    places.save(FOLDER / f"turned_{orientation}.png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(FOLDER / f"turned_{orientation}.png"))
    out["upright"].append({"height": upright.height, "width": upright.width, "pixels": flat(upright)})
exif = Image.Exif()
exif[0x010E], exif[0x0112] = "a picture", 6
smooth.save(FOLDER / "turned.jpg", quality=95, exif=exif)
out["turned.jpg"] = flat(ImageOps.exif_transpose(Image.open(FOLDER / "turned.jpg")))
(HERE / "image.json").write_text(json.dumps(out, separators=(",", ":")))
