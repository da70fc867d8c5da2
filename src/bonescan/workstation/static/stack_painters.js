/**
 * The two painters of stacks: WebGL2 with a three-dimensional texture, and a plain canvas where that is missing or lost. They
 * draw the same picture, within a grey level.
 *
 * Both work in two steps. A cut is made into a flat picture of its own pixels, once; then that is drawn, bilinear between
 * pixel centres or nearest, in the grey of `pictures.grey`. So a window slider costs the second step alone.
 * @module
 */

import { canvasPainter, drawnPixels, program, showFlats, shower, webglOf } from "./painters.js";
import { flatten, nameOf, rays, sizeOf } from "./stacks.js";

/** @typedef {import("./stacks.js").Stack} Stack */
/** @typedef {import("./stacks.js").Cut} Cut */
/** @typedef {import("./pictures.js").Window} Window */
/** @typedef {import("./painters.js").Colour} Colour */
/**
 * Where a cut is drawn, in device pixels, and which part of it, as for `painters.Pane`; counts are multiplied by `gain`.
 * @typedef {{cut: Cut, gain: number, x: number, y: number, width: number, height: number, row: number, column: number,
 *   rows: number, columns: number}} Pane
 */
/**
 * @typedef {{kind: "webgl2" | "canvas", canvas: HTMLCanvasElement, holds: (stack: Stack) => boolean,
 *   prepare: (cut: Cut) => void, paint: (panes: Pane[], window: Window, surround: Colour) => void,
 *   pixels: (panes: Pane[], window: Window, surround: Colour) => Uint8ClampedArray}} Painter `holds`: whether the stack can be
 *   drawn; `prepare` works a cut out before it is shown, where that takes time.
 */

const KEPT_FLATS = 160;

/** The first step: a cut's own pixels, as the bits of a float, which every WebGL2 can draw into. @param {"usampler3D" | "sampler3D"} sampler */
const cutting = (sampler) => `#version 300 es
precision highp float;
precision highp int;
precision highp ${sampler};
uniform ${sampler} counts;
uniform int way;       // 0 frames, 1 coronal, 2 sagittal, 3 projection
uniform ivec2 span;    // first and last frame; row or column
uniform vec2 heading;  // cosine and sine of the turn
uniform vec4 ray;      // bins, mm of a bin, steps, mm of a step
uniform vec2 spacing;  // mm of a column, of a row
out uvec4 bits;
float at(ivec3 place) {
  ivec3 size = textureSize(counts, 0);
  if (any(lessThan(place, ivec3(0))) || any(greaterThanEqual(place, size))) return 0.0;
  return float(texelFetch(counts, place, 0).r);
}
void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  ivec3 size = textureSize(counts, 0);
  int slice = size.z - 1 - pixel.y;
  float n = 0.0;
  if (way == 0) { for (int k = span.x; k <= span.y; k++) n += at(ivec3(pixel, k)); }
  else if (way == 1) n = at(ivec3(pixel.x, span.x, slice));
  else if (way == 2) n = at(ivec3(span.x, pixel.x, slice));
  else {
    float a = (float(pixel.x) - (ray.x - 1.0) / 2.0) * ray.y;
    int steps = int(ray.z);
    for (int k = 0; k < steps; k++) {
      float t = (float(k) - (ray.z - 1.0) / 2.0) * ray.w;
      vec2 place = (a * heading + t * vec2(-heading.y, heading.x)) / spacing + (vec2(size.xy) - 1.0) / 2.0;
      if (any(lessThan(place, vec2(-1))) || any(greaterThan(place, vec2(size.xy)))) continue;
      ivec2 low = ivec2(floor(place));
      vec2 share = place - floor(place);
      n = max(n, mix(mix(at(ivec3(low, slice)), at(ivec3(low + ivec2(1, 0), slice)), share.x),
        mix(at(ivec3(low + ivec2(0, 1), slice)), at(ivec3(low + ivec2(1, 1), slice)), share.x), share.y));
    }
  }
  bits = uvec4(floatBitsToUint(n), 0u, 0u, 1u);
}`;

/**
 * A painter by WebGL2.
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} [anyway] Also where no graphics card draws: the plain canvas is faster then.
 * @returns {Painter | null} Null where the browser has none.
 */
export function webglStackPainter(canvas, anyway = false) {
  const gl = webglOf(canvas, anyway);
  if (!gl) return null;
  const uniforms = ["way", "span", "heading", "ray", "spacing"];
  const cutters = { u: program(gl, cutting("usampler3D"), uniforms), f: program(gl, cutting("sampler3D"), uniforms) };
  const by = shower(gl, "usampler2D", "uintBitsToFloat");
  if (!cutters.u || !cutters.f || !by) return null;
  const longest = gl.getParameter(gl.MAX_3D_TEXTURE_SIZE);
  /** @type {Map<Stack, WebGLTexture | null>} */
  const stacks = new Map();
  /** @type {Map<Stack, number>} */
  const numbers = new Map();
  /** @type {Map<string, {texture: WebGLTexture | null, target: WebGLFramebuffer | null}>} */
  const flats = new Map();

  /** @param {number} kind */
  function sharp(kind) {
    if (!gl) return;
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(kind, filter, gl.NEAREST);
    for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(kind, wrap, gl.CLAMP_TO_EDGE);
  }

  /** @param {Stack} stack */
  function textureOf(stack) {
    if (!gl) return null;
    const known = stacks.get(stack);
    if (known !== undefined) return known;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_3D, texture);
    const [inside, format, type] = stack.data instanceof Uint16Array ? [gl.R16UI, gl.RED_INTEGER, gl.UNSIGNED_SHORT] : [gl.R32F, gl.RED, gl.FLOAT];
    gl.texImage3D(gl.TEXTURE_3D, 0, inside, stack.columns, stack.rows, stack.frames, 0, format, type, stack.data);
    sharp(gl.TEXTURE_3D);
    stacks.set(stack, texture);
    numbers.set(stack, numbers.size);
    return texture;
  }

  /** The flat picture of a cut. @param {Cut} cut */
  function flatOf(cut) {
    const texture = textureOf(cut.stack);
    const name = `${numbers.get(cut.stack)} ${nameOf(cut)}`;
    const known = flats.get(name);
    if (!gl || known) return known?.texture ?? null;
    while (flats.size >= KEPT_FLATS) {
      const [oldest, gone] = /** @type {[string, {texture: WebGLTexture, target: WebGLFramebuffer}]} */ (flats.entries().next().value);
      gl.deleteTexture(gone.texture);
      gl.deleteFramebuffer(gone.target);
      flats.delete(oldest);
    }
    const used = cutters[cut.stack.data instanceof Uint16Array ? "u" : "f"];
    const size = sizeOf(cut);
    const made = { texture: gl.createTexture(), target: gl.createFramebuffer() };
    gl.bindTexture(gl.TEXTURE_2D, made.texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R32UI, size.columns, size.rows);
    sharp(gl.TEXTURE_2D);
    gl.bindFramebuffer(gl.FRAMEBUFFER, made.target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made.texture, 0);
    gl.disable(gl.SCISSOR_TEST);
    gl.viewport(0, 0, size.columns, size.rows);
    if (used) {
      gl.useProgram(used.program);
      gl.bindTexture(gl.TEXTURE_3D, texture);
      gl.uniform1i(used.at("way"), { frame: 0, sum: 0, coronal: 1, sagittal: 2, mip: 3 }[cut.way]);
      gl.uniform2i(used.at("span"), cut.at, cut.to);
      const angle = (cut.turn * Math.PI) / 180;
      gl.uniform2f(used.at("heading"), Math.cos(angle), Math.sin(angle));
      const { bins, binMm, steps, stepMm } = rays(cut.stack);
      gl.uniform4f(used.at("ray"), bins, binMm, steps, stepMm);
      gl.uniform2f(used.at("spacing"), cut.stack.columnMm, cut.stack.rowMm);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    flats.set(name, made);
    return made.texture;
  }

  /** @type {Painter["paint"]} */
  function paint(panes, window, surround) {
    if (!gl || !by) return;
    const flats = panes.map((pane) => ({ pane, size: sizeOf(pane.cut), texture: flatOf(pane.cut), by, gain: pane.gain }));
    showFlats(gl, flats, window, surround);
  }

  return {
    kind: "webgl2",
    canvas,
    holds: (stack) => Math.max(stack.frames, stack.rows, stack.columns) <= longest,
    prepare() {},
    paint,
    pixels(panes, window, surround) {
      paint(panes, window, surround);
      return drawnPixels(gl);
    },
  };
}

/**
 * A painter on a plain canvas.
 * @param {HTMLCanvasElement} canvas
 * @returns {Painter}
 */
export function canvasStackPainter(canvas) {
  const inner = canvasPainter(canvas);
  /** @type {WeakMap<Stack, Map<string, import("./pictures.js").Picture>>} */
  const flats = new WeakMap();

  /** @param {{cut: Cut, gain: number}} pane */
  function flatOf({ cut, gain }) {
    const own = flats.get(cut.stack) ?? new Map();
    flats.set(cut.stack, own);
    const name = `${gain} ${nameOf(cut)}`;
    const known = own.get(name);
    if (known) return known;
    if (own.size >= KEPT_FLATS) own.delete(/** @type {string} */ (own.keys().next().value));
    const data = flatten(cut);
    if (gain !== 1) for (let k = 0; k < data.length; k += 1) data[k] = gain * /** @type {number} */ (data[k]);
    const { rows, columns } = sizeOf(cut);
    const made = /** @type {import("./pictures.js").Picture} */ (/** @type {unknown} */ ({ data, rows, columns }));
    own.set(name, made);
    return made;
  }

  /** @param {Pane[]} panes */
  const flat = (panes) => panes.map((pane) => ({ ...pane, picture: flatOf(pane) }));
  /** What was drawn last: everything's frame, and each pane. @type {{whole: string, panes: Array<{stack: Stack, name: string}>}} */
  let last = { whole: "", panes: [] };

  /** A cine changes few panes: only what has changed is drawn. @type {Painter["paint"]} */
  function paint(panes, window, surround) {
    const whole = JSON.stringify([window, surround, canvas.width, canvas.height, panes.map(({ x, y, width, height }) => [x, y, width, height])]);
    const named = panes.map((pane) => ({ stack: pane.cut.stack, name: [nameOf(pane.cut), pane.gain, pane.row, pane.column, pane.rows, pane.columns].join() }));
    const same = whole === last.whole;
    const changed = panes.filter((_, k) => !same || named[k]?.name !== last.panes[k]?.name || named[k]?.stack !== last.panes[k]?.stack);
    last = { whole, panes: named };
    if (changed.length || !same) inner.paint(flat(changed), window, surround, same);
  }
  return {
    kind: "canvas",
    canvas,
    holds: () => true,
    prepare: (cut) => flatOf({ cut, gain: 1 }),
    paint,
    pixels(panes, window, surround) {
      last = { whole: "", panes: [] };
      return inner.pixels(flat(panes), window, surround);
    },
  };
}
