//! What a level of H.264 allows (ITU-T H.264, table A-1).

/// Level, macroblocks a second, macroblocks a picture.
const LEVELS: [(&str, u32, u32); 14] = [
    ("1", 1_485, 99),
    ("1b", 1_485, 99),
    ("1.1", 3_000, 396),
    ("1.2", 6_000, 396),
    ("1.3", 11_880, 396),
    ("2", 11_880, 396),
    ("2.1", 19_800, 792),
    ("2.2", 20_250, 1_620),
    ("3", 40_500, 1_620),
    ("3.1", 108_000, 3_600),
    ("3.2", 216_000, 5_120),
    ("4", 245_760, 8_192),
    ("4.1", 245_760, 8_192),
    ("4.2", 522_240, 8_704),
];

/// Whether pictures of this size fit a level, at `rate` a second.
pub fn fits(level: &str, width: u32, height: u32, rate: u32) -> bool {
    let blocks = width.div_ceil(16) * height.div_ceil(16);
    LEVELS
        .iter()
        .find(|(known, ..)| *known == level)
        .is_none_or(|(_, a_second, a_picture)| blocks <= *a_picture && blocks * rate <= *a_second)
}
