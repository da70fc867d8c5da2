/**
 * Region ids of a view, as a reading's picture of them has them.
 * @module
 */

/**
 * The ids of a grey picture, pixel by pixel, as they were written.
 * @param {Blob} blob
 * @param {import("./pictures.js").Picture} picture
 * @returns {Promise<Uint8Array | null>}
 */
export async function regionIds(blob, picture) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  if (bitmap.width !== picture.columns || bitmap.height !== picture.rows) return null;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return Uint8Array.from({ length: bitmap.width * bitmap.height }, (_, k) => data[4 * k] ?? 0);
}
