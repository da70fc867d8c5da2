/**
 * The two painters of counts: WebGL2, and a plain canvas where that is missing or lost. They draw the same picture, within a
 * grey level: bilinear between pixel centres (or nearest), then the grey of `pictures.grey`.
 *
 * Only the window changes while somebody drags a slider, so the counts stay in textures; the plain canvas keeps its
 * interpolated counts and works out grey alone.
 * @module
 */

import { grey } from "./pictures.js";

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {import("./pictures.js").Window} Window */
/**
 * Where a view is drawn, in device pixels of the canvas, and which part of it: `row` and `column` at the pane's upper left
 * corner, in pixels of the view from the edge of its first.
 * @typedef {{picture: Picture, x: number, y: number, width: number, height: number, row: number, column: number,
 *   rows: number, columns: number}} Pane `rows` and `columns` a device pixel.
 */
/** @typedef {[number, number, number]} Colour 0 to 255. */

const MOST_KEPT = 12; // pictures in the graphics card's memory

/**
 * What both can do.
 * @typedef {{kind: "webgl2" | "canvas", canvas: HTMLCanvasElement, add: (picture: Picture) => void,
 *   paint: (panes: Pane[], window: Window, surround: Colour, over?: boolean) => void,
 *   pixels: (panes: Pane[], window: Window, surround: Colour) => Uint8ClampedArray}} Painter `over`: what is not in the panes
 *   stays as it was, which a plain canvas alone can do.
 */

const VERTEX = `#version 300 es
const vec2 corners[3] = vec2[3](vec2(-1, -1), vec2(3, -1), vec2(-1, 3));
void main() { gl_Position = vec4(corners[gl_VertexID], 0, 1); }`;

/**
 * The shader of the last step, in which a flat picture gets its grey.
 * @param {"usampler2D" | "sampler2D"} sampler
 * @param {string} read What makes a number of a texel's first component `r`.
 */
const showing = (sampler, read) => `#version 300 es
precision highp float;
precision highp int;
precision highp ${sampler};
uniform ${sampler} counts;
uniform float gain;
uniform vec2 corner;   // of the pane, device pixels from the upper left
uniform float height;  // of the canvas
uniform vec4 part;     // column, row at the corner; columns, rows a device pixel
uniform vec2 levels;   // lower; what a count (or its logarithm) above it counts for
uniform ivec3 how;     // logarithmic, inverse, smooth
out vec4 colour;
void main() {
  vec2 device = vec2(gl_FragCoord.x, height - gl_FragCoord.y) - corner;
  vec2 place = part.xy + device * part.zw;
  ivec2 last = textureSize(counts, 0) - 1;
  float n;
  if (how.z != 0) {
    vec2 centred = place - 0.5;
    vec2 low = floor(centred);
    vec2 share = centred - low;
    ivec2 a = clamp(ivec2(low), ivec2(0), last);
    ivec2 b = clamp(ivec2(low) + 1, ivec2(0), last);
    n = mix(mix(${read}(texelFetch(counts, a, 0).r), ${read}(texelFetch(counts, ivec2(b.x, a.y), 0).r), share.x),
      mix(${read}(texelFetch(counts, ivec2(a.x, b.y), 0).r), ${read}(texelFetch(counts, b, 0).r), share.x), share.y);
  } else n = ${read}(texelFetch(counts, clamp(ivec2(floor(place)), ivec2(0), last), 0).r);
  float above = max(gain * n - levels.x, 0.0);
  if (how.x != 0) above = log(1.0 + above);
  float t = min(above * levels.y, 1.0);
  colour = vec4(vec3(how.y != 0 ? 1.0 - t : t), 1);
}`;

/**
 * The program of the last step.
 * @param {WebGL2RenderingContext} gl
 * @param {"usampler2D" | "sampler2D"} sampler
 * @param {"float" | "uintBitsToFloat"} read
 */
export const shower = (gl, sampler, read) => program(gl, showing(sampler, read), ["gain", "corner", "height", "part", "levels", "how"]);

/**
 * @typedef {NonNullable<ReturnType<typeof program>>} Program
 * @typedef {{x: number, y: number, width: number, height: number, row: number, column: number, rows: number, columns: number}} Part
 */

/**
 * The device pixels of a pane whose centres lie on its picture, from the pane's corner.
 * @param {Part} pane
 * @param {{rows: number, columns: number}} size Of the picture.
 */
export function covered(pane, size) {
  /** @param {number} place @param {number} each @param {number} within */
  const first = (place, each, within) => Math.min(Math.max(Math.ceil(place / each - 0.5), 0), within);
  const [left, right] = [first(-pane.column, pane.columns, pane.width), first(size.columns - pane.column, pane.columns, pane.width)];
  const [top, bottom] = [first(-pane.row, pane.rows, pane.height), first(size.rows - pane.row, pane.rows, pane.height)];
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * The last step of both painters by WebGL2: flat pictures that lie in textures, each where its pane shows it, in grey.
 * @param {WebGL2RenderingContext} gl
 * @param {ReadonlyArray<{pane: Part, size: {rows: number, columns: number}, texture: WebGLTexture | null, by: Program, gain: number}>} flats
 * @param {Window} window
 * @param {Colour} surround
 */
export function showFlats(gl, flats, window, surround) {
  const { width, height } = gl.canvas;
  const [red, green, blue] = surround;
  const span = window.upper - window.lower;
  gl.viewport(0, 0, width, height);
  gl.enable(gl.SCISSOR_TEST);
  gl.scissor(0, 0, width, height);
  gl.clearColor(red / 255, green / 255, blue / 255, 1);
  gl.clear(gl.COLOR_BUFFER_BIT);
  for (const { pane, size, texture, by, gain } of flats) {
    gl.scissor(pane.x, height - pane.y - pane.height, pane.width, pane.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const seen = covered(pane, size);
    gl.scissor(pane.x + seen.left, height - pane.y - seen.top - seen.height, seen.width, seen.height);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.useProgram(by.program);
    gl.uniform1f(by.at("gain"), gain);
    gl.uniform2f(by.at("corner"), pane.x, pane.y);
    gl.uniform1f(by.at("height"), height);
    gl.uniform4f(by.at("part"), pane.column, pane.row, pane.columns, pane.rows);
    gl.uniform2f(by.at("levels"), window.lower, 1 / (window.log ? Math.log(1 + span) : span));
    gl.uniform3i(by.at("how"), Number(window.log), Number(window.inverse), Number(window.smooth));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

/**
 * What was drawn, from the upper left on.
 * @param {WebGL2RenderingContext} gl
 */
export function drawnPixels(gl) {
  const { width, height } = gl.canvas;
  const upward = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upward);
  const pixels = new Uint8ClampedArray(upward.length);
  const line = 4 * width;
  for (let i = 0; i < height; i += 1) pixels.set(upward.subarray(i * line, (i + 1) * line), (height - 1 - i) * line);
  return pixels;
}

/** What programs that draw without a graphics card call themselves: Chromium's, Mesa's, Windows'. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|swrast|software|basic render/i;

/** Whether a graphics card draws here, which not every browser says by `failIfMajorPerformanceCaveat`. */
function cardDraws() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!gl) return false;
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(name);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} anyway Also where no graphics card draws: the plain canvas is faster then.
 */
export function webglOf(canvas, anyway) {
  if (!anyway && !cardDraws()) return null;
  const how = { alpha: false, antialias: false, depth: false, stencil: false, powerPreference: "high-performance" };
  const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", how));
  gl?.bindVertexArray(gl.createVertexArray());
  gl?.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return gl;
}

/**
 * A painter by WebGL2.
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} [anyway] Also where no graphics card draws: the plain canvas is faster then.
 * @returns {Painter | null} Null where the browser has none.
 */
export function webglPainter(canvas, anyway = false) {
  const gl = webglOf(canvas, anyway);
  if (!gl) return null;
  const programs = { u: shower(gl, "usampler2D", "float"), f: shower(gl, "sampler2D", "float") };
  if (!programs.u || !programs.f) return null;
  /** @type {Map<Picture, {texture: WebGLTexture | null, kind: "u" | "f"}>} */
  const textures = new Map();

  /** @param {Picture} picture */
  function add(picture) {
    if (!gl || textures.has(picture)) return;
    const oldest = textures.size < MOST_KEPT ? undefined : textures.keys().next().value;
    if (oldest) {
      gl.deleteTexture(textures.get(oldest)?.texture ?? null);
      textures.delete(oldest);
    }
    const whole = picture.data instanceof Uint16Array;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const [inside, format, type] = whole ? [gl.R16UI, gl.RED_INTEGER, gl.UNSIGNED_SHORT] : [gl.R32F, gl.RED, gl.FLOAT];
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, picture.columns, picture.rows, 0, format, type, picture.data);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    textures.set(picture, { texture, kind: whole ? "u" : "f" });
  }

  /** @type {Painter["paint"]} */
  function paint(panes, window, surround) {
    if (!gl) return;
    const flats = panes.flatMap((pane) => {
      add(pane.picture);
      const known = textures.get(pane.picture);
      const by = known && programs[known.kind];
      return by ? [{ pane, size: pane.picture, texture: known.texture, by, gain: 1 }] : [];
    });
    showFlats(gl, flats, window, surround);
  }

  return {
    kind: "webgl2",
    canvas,
    add,
    paint,
    pixels(panes, window, surround) {
      paint(panes, window, surround);
      return drawnPixels(gl);
    },
  };
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} source Of the fragment shader.
 * @param {string[]} names Of its uniforms.
 * @returns {{program: WebGLProgram, at: (name: string) => WebGLUniformLocation | null} | null}
 */
export function program(gl, source, names) {
  const made = gl.createProgram();
  for (const [type, text] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, source]])) {
    const shader = gl.createShader(type);
    if (!made || !shader) return null;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) return null;
  const places = new Map(names.map((name) => [name, gl.getUniformLocation(made, name)]));
  return { program: made, at: (name) => places.get(name) ?? null };
}

/**
 * A painter on a plain canvas.
 * @param {HTMLCanvasElement} canvas
 * @returns {Painter}
 */
export function canvasPainter(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false, willReadFrequently: false }));
  /** @type {Map<string, Resampled>} */
  const kept = new Map();
  /** Weakly, so that a picture which nobody shows any more goes. @type {WeakMap<Picture, number>} */
  const numbers = new WeakMap();
  let numbered = 0;
  /** @type {ImageData | null} */
  let sheet = null;

  /**
   * @param {Pane} pane
   * @param {boolean} smooth
   */
  function resampled(pane, smooth) {
    if (!numbers.has(pane.picture)) numbers.set(pane.picture, (numbered += 1));
    const key = [numbers.get(pane.picture), pane.width, pane.height, pane.row, pane.column, pane.rows, pane.columns, smooth].join();
    const known = kept.get(key);
    if (known) return known;
    if (kept.size > 8) kept.delete(/** @type {string} */ (kept.keys().next().value));
    const made = resample(pane, smooth);
    kept.set(key, made);
    return made;
  }

  /** @type {Painter["paint"]} */
  function paint(panes, window, surround, over = false) {
    context.fillStyle = `rgb(${surround.join(" ")})`;
    if (!over) context.fillRect(0, 0, canvas.width, canvas.height);
    const table = inks(window);
    for (const pane of panes) {
      context.fillRect(pane.x, pane.y, pane.width, pane.height);
      const { left, top, width, height, counts } = resampled(pane, window.smooth);
      if (!counts.length) continue;
      if (sheet?.width !== width || sheet.height !== height) sheet = context.createImageData(width, height);
      ink(counts, window, table, new Int32Array(sheet.data.buffer));
      context.putImageData(sheet, pane.x + left, pane.y + top);
    }
  }

  return {
    kind: "canvas",
    canvas,
    add() {},
    paint,
    pixels(panes, window, surround) {
      paint(panes, window, surround);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    },
  };
}

const STEPS = 8192;

/**
 * Grey words from the lower level to the upper, so that a slider costs one look-up a pixel. A logarithm is steep at the lower
 * level: its steps go with the fourth power, and a step is then less than half a grey level up to a span of 10^8 counts.
 * @param {Window} window
 */
function inks(window) {
  const span = window.upper - window.lower;
  const table = new Int32Array(STEPS + 1);
  for (let k = 0; k <= STEPS; k += 1) {
    const shade = grey(window.lower + span * (k / STEPS) ** (window.log ? 4 : 1), window);
    table[k] = (255 << 24) | (shade << 16) | (shade << 8) | shade;
  }
  return table;
}

/**
 * @param {Float32Array} counts
 * @param {Window} window
 * @param {Int32Array} table Of `inks`.
 * @param {Int32Array} words What becomes of the counts.
 */
function ink(counts, { lower, upper, log }, table, words) {
  const per = 1 / (upper - lower);
  for (let k = 0; k < counts.length; k += 1) {
    const t = (/** @type {number} */ (counts[k]) - lower) * per;
    const step = t <= 0 ? 0 : t >= 1 ? STEPS : STEPS * (log ? Math.sqrt(Math.sqrt(t)) : t) + 0.5;
    words[k] = /** @type {number} */ (table[step | 0]);
  }
}

/**
 * Counts at the device pixels where a pane shows its picture, from `left` and `top` in the pane on.
 * @typedef {{left: number, top: number, width: number, height: number, counts: Float32Array}} Resampled
 */

/**
 * @param {Pane} pane
 * @param {boolean} smooth
 * @returns {Resampled}
 */
function resample(pane, smooth) {
  const { data, rows, columns } = pane.picture;
  const { left, top, width, height } = covered(pane, pane.picture);
  const counts = new Float32Array(width * height);
  const low = new Int32Array(width);
  const high = new Int32Array(width);
  const shares = new Float32Array(width);
  for (let x = 0; x < width; x += 1) {
    const place = pane.column + (left + x + 0.5) * pane.columns;
    const centred = smooth ? place - 0.5 : Math.floor(place);
    const floor = Math.floor(centred);
    low[x] = Math.min(Math.max(floor, 0), columns - 1);
    high[x] = Math.min(floor + 1, columns - 1);
    shares[x] = centred - floor;
  }
  for (let y = 0, k = 0; y < height; y += 1) {
    const place = pane.row + (top + y + 0.5) * pane.rows;
    const centred = smooth ? place - 0.5 : Math.floor(place);
    const floor = Math.floor(centred);
    const above = Math.min(Math.max(floor, 0), rows - 1) * columns;
    const below = Math.min(floor + 1, rows - 1) * columns;
    const share = centred - floor;
    for (let x = 0; x < width; x += 1, k += 1) {
      const [a, b, s] = [/** @type {number} */ (low[x]), /** @type {number} */ (high[x]), /** @type {number} */ (shares[x])];
      const n00 = /** @type {number} */ (data[above + a]);
      const n10 = /** @type {number} */ (data[below + a]);
      const upper = n00 + s * (/** @type {number} */ (data[above + b]) - n00);
      const lower = n10 + s * (/** @type {number} */ (data[below + b]) - n10);
      counts[k] = upper + share * (lower - upper);
    }
  }
  return { left, top, width, height, counts };
}
