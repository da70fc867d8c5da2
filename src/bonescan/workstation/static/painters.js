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

/** @param {"usampler2D" | "sampler2D"} sampler */
const fragment = (sampler) => `#version 300 es
precision highp float;
precision highp ${sampler};
uniform ${sampler} counts;
uniform vec2 corner;   // of the pane, device pixels from the upper left
uniform float height;  // of the canvas
uniform vec4 part;     // column, row at the corner; columns, rows a device pixel
uniform vec2 levels;   // lower, upper
uniform bvec3 how;     // logarithmic, inverse, smooth
uniform vec3 surround;
out vec4 colour;
float at(ivec2 place) {
  return float(texelFetch(counts, clamp(place, ivec2(0), textureSize(counts, 0) - 1), 0).r);
}
void main() {
  vec2 device = vec2(gl_FragCoord.x, height - gl_FragCoord.y) - corner;
  vec2 place = part.xy + device * part.zw;
  vec2 size = vec2(textureSize(counts, 0));
  if (any(lessThan(place, vec2(0))) || any(greaterThanEqual(place, size))) { colour = vec4(surround, 1); return; }
  float n;
  if (how.z) {
    vec2 centred = place - 0.5;
    ivec2 low = ivec2(floor(centred));
    vec2 share = centred - floor(centred);
    n = mix(mix(at(low), at(low + ivec2(1, 0)), share.x), mix(at(low + ivec2(0, 1)), at(low + ivec2(1, 1)), share.x), share.y);
  } else n = at(ivec2(floor(place)));
  float above = max(n - levels.x, 0.0);
  float span = levels.y - levels.x;
  float t = min(how.x ? log(1.0 + above) / log(1.0 + span) : above / span, 1.0);
  colour = vec4(vec3(how.y ? 1.0 - t : t), 1);
}`;

/**
 * A painter by WebGL2.
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} [anyway] Also where no graphics card draws: the plain canvas is faster then.
 * @returns {Painter | null} Null where the browser has none.
 */
export function webglPainter(canvas, anyway = false) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false, powerPreference: "high-performance", failIfMajorPerformanceCaveat: !anyway });
  if (!gl) return null;
  const programs = { u: program(gl, "usampler2D"), f: program(gl, "sampler2D") };
  if (!programs.u || !programs.f) return null;
  gl.bindVertexArray(gl.createVertexArray());
  gl.enable(gl.SCISSOR_TEST);
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
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const [inside, format, type] = whole ? [gl.R16UI, gl.RED_INTEGER, gl.UNSIGNED_SHORT] : [gl.R32F, gl.RED, gl.FLOAT];
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, picture.columns, picture.rows, 0, format, type, picture.data);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    textures.set(picture, { texture, kind: whole ? "u" : "f" });
  }

  /** @type {Painter["paint"]} */
  function paint(panes, window, surround) {
    if (!gl) return;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.scissor(0, 0, canvas.width, canvas.height);
    const [red, green, blue] = surround;
    gl.clearColor(red / 255, green / 255, blue / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    for (const pane of panes) {
      add(pane.picture);
      const known = textures.get(pane.picture);
      const used = known && programs[known.kind];
      if (!used) continue;
      gl.scissor(pane.x, canvas.height - pane.y - pane.height, pane.width, pane.height);
      gl.bindTexture(gl.TEXTURE_2D, known.texture);
      gl.useProgram(used.program);
      gl.uniform2f(used.corner, pane.x, pane.y);
      gl.uniform1f(used.height, canvas.height);
      gl.uniform4f(used.part, pane.column, pane.row, pane.columns, pane.rows);
      gl.uniform2f(used.levels, window.lower, window.upper);
      gl.uniform3i(used.how, Number(window.log), Number(window.inverse), Number(window.smooth));
      gl.uniform3f(used.surround, red / 255, green / 255, blue / 255);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
  }

  return {
    kind: "webgl2",
    canvas,
    add,
    paint,
    pixels(panes, window, surround) {
      paint(panes, window, surround);
      const upward = new Uint8Array(4 * canvas.width * canvas.height);
      gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, upward);
      const pixels = new Uint8ClampedArray(upward.length);
      const line = 4 * canvas.width;
      for (let i = 0; i < canvas.height; i += 1) pixels.set(upward.subarray(i * line, (i + 1) * line), (canvas.height - 1 - i) * line);
      return pixels;
    },
  };
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {"usampler2D" | "sampler2D"} sampler
 */
function program(gl, sampler) {
  const made = gl.createProgram();
  for (const [type, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment(sampler)]])) {
    const shader = gl.createShader(type);
    if (!made || !shader) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) return null;
  /** @param {string} name */
  const uniform = (name) => gl.getUniformLocation(made, name);
  return {
    program: made, corner: uniform("corner"), height: uniform("height"), part: uniform("part"), levels: uniform("levels"),
    how: uniform("how"), surround: uniform("surround"),
  };
}

/**
 * A painter on a plain canvas.
 * @param {HTMLCanvasElement} canvas
 * @returns {Painter}
 */
export function canvasPainter(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false, willReadFrequently: false }));
  /** @type {Map<string, Float32Array>} */
  const kept = new Map();
  /** Weakly, so that a picture which nobody shows any more goes. @type {WeakMap<Picture, number>} */
  const numbers = new WeakMap();
  let numbered = 0;

  /**
   * Counts at every device pixel of a pane; below 0 beside the picture.
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
    const beside = (255 << 24) | (surround[2] << 16) | (surround[1] << 8) | surround[0];
    // A table of greys over the window, so that a slider costs one look-up a pixel. The logarithm is too steep for one.
    const steps = 8192;
    const table = new Int32Array(steps + 1);
    const span = window.upper - window.lower;
    /** @param {number} n */
    const ink = (n) => {
      const shade = grey(n, window);
      return (255 << 24) | (shade << 16) | (shade << 8) | shade;
    };
    for (let k = 0; k <= steps; k += 1) table[k] = ink(window.lower + (span * k) / steps);
    for (const pane of panes) {
      if (pane.width < 1 || pane.height < 1) continue;
      const counts = resampled(pane, window.smooth);
      const image = context.createImageData(pane.width, pane.height);
      const words = new Int32Array(image.data.buffer);
      const per = steps / span;
      for (let k = 0; k < counts.length; k += 1) {
        const n = /** @type {number} */ (counts[k]);
        if (n < 0) words[k] = beside;
        else if (window.log) words[k] = ink(n);
        else {
          const step = (n - window.lower) * per + 0.5;
          words[k] = /** @type {number} */ (table[step <= 0 ? 0 : step >= steps ? steps : step | 0]);
        }
      }
      context.putImageData(image, pane.x, pane.y);
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

/**
 * @param {Pane} pane
 * @param {boolean} smooth
 * @returns {Float32Array}
 */
function resample(pane, smooth) {
  const { picture, width, height } = pane;
  const { data, rows, columns } = picture;
  const made = new Float32Array(width * height).fill(-1);
  const low = new Int32Array(width);
  const high = new Int32Array(width);
  const shares = new Float32Array(width);
  let [from, to] = [width, 0];
  for (let x = 0; x < width; x += 1) {
    const place = pane.column + (x + 0.5) * pane.columns;
    if (place < 0 || place >= columns) continue;
    from = Math.min(from, x);
    to = x + 1;
    const centred = smooth ? place - 0.5 : Math.floor(place);
    const floor = Math.floor(centred);
    low[x] = Math.max(floor, 0);
    high[x] = Math.min(floor + 1, columns - 1);
    shares[x] = centred - floor;
  }
  for (let y = 0; y < height; y += 1) {
    const place = pane.row + (y + 0.5) * pane.rows;
    if (place < 0 || place >= rows) continue;
    const centred = smooth ? place - 0.5 : Math.floor(place);
    const floor = Math.floor(centred);
    const above = Math.max(floor, 0) * columns;
    const below = Math.min(floor + 1, rows - 1) * columns;
    const share = centred - floor;
    for (let x = from, k = y * width + from; x < to; x += 1, k += 1) {
      const [a, b, s] = [/** @type {number} */ (low[x]), /** @type {number} */ (high[x]), /** @type {number} */ (shares[x])];
      const n00 = /** @type {number} */ (data[above + a]);
      const n10 = /** @type {number} */ (data[below + a]);
      const upper = n00 + s * (/** @type {number} */ (data[above + b]) - n00);
      const lower = n10 + s * (/** @type {number} */ (data[below + b]) - n10);
      made[k] = upper + share * (lower - upper);
    }
  }
  return made;
}
