/**
 * The bones by name, for choosing one: what `bonescan.anatomy` has, which a test compares.
 * @module
 */

/** Id, name, planar region. @type {ReadonlyArray<readonly [string, string, number]>} */
export const BONES = [
  ["skull_ethmoid", "ethmoid bone", 1], ["skull_frontal", "frontal bone", 1],
  ["skull_inferior_nasal_concha_l", "left inferior nasal concha", 1], ["skull_inferior_nasal_concha_r", "right inferior nasal concha", 1],
  ["skull_lacrimal_l", "left lacrimal bone", 1], ["skull_lacrimal_r", "right lacrimal bone", 1], ["skull_maxilla_l", "left maxilla", 1],
  ["skull_maxilla_r", "right maxilla", 1], ["skull_nasal_l", "left nasal bone", 1], ["skull_nasal_r", "right nasal bone", 1],
  ["skull_occipital", "occipital bone", 1], ["skull_palatine_l", "left palatine bone", 1], ["skull_palatine_r", "right palatine bone", 1],
  ["skull_parietal_l", "left parietal bone", 1], ["skull_parietal_r", "right parietal bone", 1], ["skull_sphenoid", "sphenoid bone", 1],
  ["skull_temporal_l", "left temporal bone", 1], ["skull_temporal_r", "right temporal bone", 1], ["skull_vomer", "vomer", 1],
  ["skull_zygomatic_l", "left zygomatic bone", 1], ["skull_zygomatic_r", "right zygomatic bone", 1], ["mandible", "mandible", 1],
  ["hyoid", "hyoid bone", 0], ["vertebra_c01", "atlas (C1)", 2], ["vertebra_c02", "axis (C2)", 2], ["vertebra_c03", "C3 vertebra", 2],
  ["vertebra_c04", "C4 vertebra", 2], ["vertebra_c05", "C5 vertebra", 2], ["vertebra_c06", "C6 vertebra", 2],
  ["vertebra_c07", "C7 vertebra", 2], ["vertebra_t01", "T1 vertebra", 3], ["vertebra_t02", "T2 vertebra", 3],
  ["vertebra_t03", "T3 vertebra", 3], ["vertebra_t04", "T4 vertebra", 3], ["vertebra_t05", "T5 vertebra", 3],
  ["vertebra_t06", "T6 vertebra", 3], ["vertebra_t07", "T7 vertebra", 3], ["vertebra_t08", "T8 vertebra", 3],
  ["vertebra_t09", "T9 vertebra", 3], ["vertebra_t10", "T10 vertebra", 3], ["vertebra_t11", "T11 vertebra", 3],
  ["vertebra_t12", "T12 vertebra", 3], ["vertebra_l01", "L1 vertebra", 9], ["vertebra_l02", "L2 vertebra", 9],
  ["vertebra_l03", "L3 vertebra", 9], ["vertebra_l04", "L4 vertebra", 9], ["vertebra_l05", "L5 vertebra", 9], ["sacrum", "sacrum", 10],
  ["rib_01_l", "left 1st rib", 4], ["rib_01_r", "right 1st rib", 4], ["rib_02_l", "left 2nd rib", 4], ["rib_02_r", "right 2nd rib", 4],
  ["rib_03_l", "left 3rd rib", 4], ["rib_03_r", "right 3rd rib", 4], ["rib_04_l", "left 4th rib", 4], ["rib_04_r", "right 4th rib", 4],
  ["rib_05_l", "left 5th rib", 4], ["rib_05_r", "right 5th rib", 4], ["rib_06_l", "left 6th rib", 4], ["rib_06_r", "right 6th rib", 4],
  ["rib_07_l", "left 7th rib", 4], ["rib_07_r", "right 7th rib", 4], ["rib_08_l", "left 8th rib", 4], ["rib_08_r", "right 8th rib", 4],
  ["rib_09_l", "left 9th rib", 4], ["rib_09_r", "right 9th rib", 4], ["rib_10_l", "left 10th rib", 4], ["rib_10_r", "right 10th rib", 4],
  ["rib_11_l", "left 11th rib", 4], ["rib_11_r", "right 11th rib", 4], ["rib_12_l", "left 12th rib", 4], ["rib_12_r", "right 12th rib", 4],
  ["sternum_body", "body of sternum", 5], ["sternum_manubrium", "manubrium of sternum", 5], ["sternum_xiphoid", "xiphoid process", 5],
  ["clavicle_l", "left clavicle", 6], ["clavicle_r", "right clavicle", 6], ["scapula_l", "left scapula", 7],
  ["scapula_r", "right scapula", 7], ["humerus_l", "left humerus", 8], ["humerus_r", "right humerus", 8], ["radius_l", "left radius", 13],
  ["radius_r", "right radius", 13], ["ulna_l", "left ulna", 13], ["ulna_r", "right ulna", 13], ["carpal_capitate_l", "left capitate", 14],
  ["carpal_capitate_r", "right capitate", 14], ["carpal_hamate_l", "left hamate", 14], ["carpal_hamate_r", "right hamate", 14],
  ["carpal_lunate_l", "left lunate", 14], ["carpal_lunate_r", "right lunate", 14], ["carpal_pisiform_l", "left pisiform", 14],
  ["carpal_pisiform_r", "right pisiform", 14], ["carpal_scaphoid_l", "left scaphoid", 14], ["carpal_scaphoid_r", "right scaphoid", 14],
  ["carpal_trapezium_l", "left trapezium", 14], ["carpal_trapezium_r", "right trapezium", 14],
  ["carpal_trapezoid_l", "left trapezoid", 14], ["carpal_trapezoid_r", "right trapezoid", 14],
  ["carpal_triquetral_l", "left triquetrum", 14], ["carpal_triquetral_r", "right triquetrum", 14],
  ["metacarpal_1_l", "left 1st metacarpal", 14], ["metacarpal_1_r", "right 1st metacarpal", 14],
  ["metacarpal_2_l", "left 2nd metacarpal", 14], ["metacarpal_2_r", "right 2nd metacarpal", 14],
  ["metacarpal_3_l", "left 3rd metacarpal", 14], ["metacarpal_3_r", "right 3rd metacarpal", 14],
  ["metacarpal_4_l", "left 4th metacarpal", 14], ["metacarpal_4_r", "right 4th metacarpal", 14],
  ["metacarpal_5_l", "left 5th metacarpal", 14], ["metacarpal_5_r", "right 5th metacarpal", 14],
  ["phalanx_hand_distal_1_l", "distal phalanx of left thumb", 14], ["phalanx_hand_distal_1_r", "distal phalanx of right thumb", 14],
  ["phalanx_hand_distal_2_l", "distal phalanx of left index finger", 14],
  ["phalanx_hand_distal_2_r", "distal phalanx of right index finger", 14],
  ["phalanx_hand_distal_3_l", "distal phalanx of left middle finger", 14],
  ["phalanx_hand_distal_3_r", "distal phalanx of right middle finger", 14],
  ["phalanx_hand_distal_4_l", "distal phalanx of left ring finger", 14],
  ["phalanx_hand_distal_4_r", "distal phalanx of right ring finger", 14],
  ["phalanx_hand_distal_5_l", "distal phalanx of left little finger", 14],
  ["phalanx_hand_distal_5_r", "distal phalanx of right little finger", 14],
  ["phalanx_hand_middle_2_l", "middle phalanx of left index finger", 14],
  ["phalanx_hand_middle_2_r", "middle phalanx of right index finger", 14],
  ["phalanx_hand_middle_3_l", "middle phalanx of left middle finger", 14],
  ["phalanx_hand_middle_3_r", "middle phalanx of right middle finger", 14],
  ["phalanx_hand_middle_4_l", "middle phalanx of left ring finger", 14],
  ["phalanx_hand_middle_4_r", "middle phalanx of right ring finger", 14],
  ["phalanx_hand_middle_5_l", "middle phalanx of left little finger", 14],
  ["phalanx_hand_middle_5_r", "middle phalanx of right little finger", 14],
  ["phalanx_hand_proximal_1_l", "proximal phalanx of left thumb", 14],
  ["phalanx_hand_proximal_1_r", "proximal phalanx of right thumb", 14],
  ["phalanx_hand_proximal_2_l", "proximal phalanx of left index finger", 14],
  ["phalanx_hand_proximal_2_r", "proximal phalanx of right index finger", 14],
  ["phalanx_hand_proximal_3_l", "proximal phalanx of left middle finger", 14],
  ["phalanx_hand_proximal_3_r", "proximal phalanx of right middle finger", 14],
  ["phalanx_hand_proximal_4_l", "proximal phalanx of left ring finger", 14],
  ["phalanx_hand_proximal_4_r", "proximal phalanx of right ring finger", 14],
  ["phalanx_hand_proximal_5_l", "proximal phalanx of left little finger", 14],
  ["phalanx_hand_proximal_5_r", "proximal phalanx of right little finger", 14], ["hip_bone_l", "left hip bone", 11],
  ["hip_bone_r", "right hip bone", 11], ["femur_l", "left femur", 12], ["femur_r", "right femur", 12], ["patella_l", "left patella", 15],
  ["patella_r", "right patella", 15], ["tibia_l", "left tibia", 16], ["tibia_r", "right tibia", 16], ["fibula_l", "left fibula", 16],
  ["fibula_r", "right fibula", 16], ["tarsal_calcaneus_l", "left calcaneus", 17], ["tarsal_calcaneus_r", "right calcaneus", 17],
  ["tarsal_cuboid_l", "left cuboid bone", 17], ["tarsal_cuboid_r", "right cuboid bone", 17],
  ["tarsal_intermediate_cuneiform_l", "left intermediate cuneiform", 17],
  ["tarsal_intermediate_cuneiform_r", "right intermediate cuneiform", 17], ["tarsal_lateral_cuneiform_l", "left lateral cuneiform", 17],
  ["tarsal_lateral_cuneiform_r", "right lateral cuneiform", 17], ["tarsal_medial_cuneiform_l", "left medial cuneiform", 17],
  ["tarsal_medial_cuneiform_r", "right medial cuneiform", 17], ["tarsal_navicular_l", "left navicular of foot", 17],
  ["tarsal_navicular_r", "right navicular of foot", 17], ["tarsal_talus_l", "left talus", 17], ["tarsal_talus_r", "right talus", 17],
  ["metatarsal_1_l", "left 1st metatarsal", 17], ["metatarsal_1_r", "right 1st metatarsal", 17],
  ["metatarsal_2_l", "left 2nd metatarsal", 17], ["metatarsal_2_r", "right 2nd metatarsal", 17],
  ["metatarsal_3_l", "left 3rd metatarsal", 17], ["metatarsal_3_r", "right 3rd metatarsal", 17],
  ["metatarsal_4_l", "left 4th metatarsal", 17], ["metatarsal_4_r", "right 4th metatarsal", 17],
  ["metatarsal_5_l", "left 5th metatarsal", 17], ["metatarsal_5_r", "right 5th metatarsal", 17],
  ["phalanx_foot_distal_1_l", "distal phalanx of left big toe", 17], ["phalanx_foot_distal_1_r", "distal phalanx of right big toe", 17],
  ["phalanx_foot_distal_2_l", "distal phalanx of left 2nd toe", 17], ["phalanx_foot_distal_2_r", "distal phalanx of right 2nd toe", 17],
  ["phalanx_foot_distal_3_l", "distal phalanx of left 3rd toe", 17], ["phalanx_foot_distal_3_r", "distal phalanx of right 3rd toe", 17],
  ["phalanx_foot_distal_4_l", "distal phalanx of left 4th toe", 17], ["phalanx_foot_distal_4_r", "distal phalanx of right 4th toe", 17],
  ["phalanx_foot_distal_5_l", "distal phalanx of left little toe", 17],
  ["phalanx_foot_distal_5_r", "distal phalanx of right little toe", 17], ["phalanx_foot_middle_2_l", "middle phalanx of left 2nd toe", 17],
  ["phalanx_foot_middle_2_r", "middle phalanx of right 2nd toe", 17], ["phalanx_foot_middle_3_l", "middle phalanx of left 3rd toe", 17],
  ["phalanx_foot_middle_3_r", "middle phalanx of right 3rd toe", 17], ["phalanx_foot_middle_4_l", "middle phalanx of left 4th toe", 17],
  ["phalanx_foot_middle_4_r", "middle phalanx of right 4th toe", 17], ["phalanx_foot_middle_5_l", "middle phalanx of left little toe", 17],
  ["phalanx_foot_middle_5_r", "middle phalanx of right little toe", 17],
  ["phalanx_foot_proximal_1_l", "proximal phalanx of left big toe", 17],
  ["phalanx_foot_proximal_1_r", "proximal phalanx of right big toe", 17],
  ["phalanx_foot_proximal_2_l", "proximal phalanx of left 2nd toe", 17],
  ["phalanx_foot_proximal_2_r", "proximal phalanx of right 2nd toe", 17],
  ["phalanx_foot_proximal_3_l", "proximal phalanx of left 3rd toe", 17],
  ["phalanx_foot_proximal_3_r", "proximal phalanx of right 3rd toe", 17],
  ["phalanx_foot_proximal_4_l", "proximal phalanx of left 4th toe", 17],
  ["phalanx_foot_proximal_4_r", "proximal phalanx of right 4th toe", 17],
  ["phalanx_foot_proximal_5_l", "proximal phalanx of left little toe", 17],
  ["phalanx_foot_proximal_5_r", "proximal phalanx of right little toe", 17],
  ["sesamoid_foot_lateral_l", "left lateral sesamoid of foot", 17], ["sesamoid_foot_lateral_r", "right lateral sesamoid of foot", 17],
  ["sesamoid_foot_medial_l", "left medial sesamoid of foot", 17], ["sesamoid_foot_medial_r", "right medial sesamoid of foot", 17],
];

/**
 * A text as it is searched: small letters, "7th" as "7", "L3 vertebra" as it stands.
 * @param {string} text
 */
const plain = (text) => text.toLowerCase().replace(/(\d+)(st|nd|rd|th)\b/g, "$1");

const SEARCHED = BONES.map(([id, name, region]) => ({ id, name, region, words: plain(name).split(/[^a-z0-9]+/) }));

/**
 * The bones whose names hold words that begin as those typed: "l rib 7" finds the left 7th rib.
 * @param {string} typed
 * @param {number} region Its bones come first; 0 for none.
 * @returns {{id: string, name: string, region: number}[]}
 */
export function bonesLike(typed, region) {
  const wanted = plain(typed).split(/[^a-z0-9]+/).filter(Boolean);
  const exact = (/** @type {string} */ part, /** @type {string} */ word) => (/^\d+$/.test(part) ? word === part : word.startsWith(part));
  const found = SEARCHED.filter(({ words }) => wanted.every((part) => words.some((word) => exact(part, word))));
  return [...found.filter((one) => one.region === region), ...found.filter((one) => one.region !== region)];
}

/** @param {string} id @returns {string} */
export function boneName(id) {
  return BONES.find(([one]) => one === id)?.[1] ?? id;
}
