//! Positions on Earth as the scores of a sorted set: geohashes of 52 bits, with the numbers of
//! Redis.

/// A position in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East positive, -180 to 180.
    pub longitude: f64,
    /// North positive, -90 to 90.
    pub latitude: f64,
}

/// What GEOSEARCH looks in: everything around `center` within `shape`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// The middle of the shape.
    pub center: Position,
    /// The shape.
    pub shape: Shape,
}

/// A shape, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A circle of this radius.
    Circle(f64),
    /// A box of this width and height.
    Box(f64, f64),
}

/// Longitudes that can be encoded, in degrees.
const LONGITUDES: (f64, f64) = (-180.0, 180.0);

/// Latitudes that can be encoded, in degrees: those of a square Mercator projection (EPSG:900913).
const LATITUDES: (f64, f64) = (-85.051_128_78, 85.051_128_78);

/// The mean radius of Earth that Redis reckons with, in metres.
const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// The greatest Mercator coordinate, in metres.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// Bits of either coordinate in a score.
const MAX_STEP: u32 = 26;

impl Position {
    /// Whether the position can be encoded: the poles cannot.
    pub fn is_encodable(self) -> bool {
        (LONGITUDES.0..=LONGITUDES.1).contains(&self.longitude)
            && (LATITUDES.0..=LATITUDES.1).contains(&self.latitude)
    }

    /// The score of a position that is encodable: its geohash.
    ///
    /// ```
    /// use server::value::geo::Position;
    ///
    /// let palermo = Position { longitude: 13.361389, latitude: 38.115556 };
    /// assert_eq!(palermo.score(), 3479099956230698);
    /// ```
    pub fn score(self) -> u64 {
        Cell::around(self, LATITUDES, MAX_STEP).bits
    }

    /// The middle of the cell a score stands for.
    pub fn from_score(score: u64) -> Self {
        let cell = Cell {
            bits: score,
            step: MAX_STEP,
        };
        let area = cell.area();
        Self {
            longitude: f64::midpoint(area.west, area.east).clamp(LONGITUDES.0, LONGITUDES.1),
            latitude: f64::midpoint(area.south, area.north).clamp(LATITUDES.0, LATITUDES.1),
        }
    }

    /// The distance in metres, along a great circle.
    pub fn distance(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let v = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        // Rounding may carry opposite points beyond 1, where there is no arcsine.
        2.0 * EARTH_RADIUS * a.sqrt().min(1.0).asin()
    }

    /// The standard geohash of 11 characters, the last of which is always `0`.
    ///
    /// ```
    /// use server::value::geo::Position;
    ///
    /// let palermo = Position { longitude: 13.361389, latitude: 38.115556 };
    /// assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
    /// ```
    pub fn geohash(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::around(self, (-90.0, 90.0), MAX_STEP).bits;
        std::array::from_fn(|index| match 47u32.checked_sub(5 * index as u32) {
            Some(shift) => ALPHABET[(bits >> shift & 31) as usize],
            // Only two bits are left.
            None => ALPHABET[0],
        })
    }
}

impl Search {
    /// The ranges of scores that hold every position within, each from a first score to the one
    /// behind its last. They hold others as well, which [`Self::distance_to`] sorts out; they come
    /// in the order in which Redis looks at them, which is that of a reply that is not sorted.
    pub fn score_ranges(&self) -> Vec<(u64, u64)> {
        let area = self.bounds();
        let mut step = steps(self.outer_radius(), self.center.latitude);
        let mut cell = Cell::around(self.center, LATITUDES, step);
        if step > 1 && !cell.neighbours_cover(&area) {
            step -= 1;
            cell = Cell::around(self.center, LATITUDES, step);
        }
        let own = cell.area();
        let mut ranges = Vec::with_capacity(9);
        let mut last = None;
        for (index, (x, y)) in SURROUNDINGS.into_iter().enumerate() {
            let needless = step >= 2
                && (y < 0 && own.south < area.south
                    || y > 0 && own.north > area.north
                    || x < 0 && own.west < area.west
                    || x > 0 && own.east > area.east);
            let neighbour = cell.moved(x, y);
            // The cells of a huge search wrap around to one another.
            if needless || last == Some(neighbour) {
                continue;
            }
            let shift = 2 * (MAX_STEP - step);
            ranges.push((neighbour.bits << shift, (neighbour.bits + 1) << shift));
            last = (index > 0).then_some(neighbour);
        }
        ranges
    }

    /// The distance from the centre in metres, if the position is within the shape.
    pub fn distance_to(&self, position: Position) -> Option<f64> {
        let distance = self.center.distance(position);
        let within = match self.shape {
            Shape::Circle(radius) => distance <= radius,
            Shape::Box(width, height) => {
                let beside = Position {
                    longitude: self.center.longitude,
                    latitude: position.latitude,
                };
                latitude_distance(position.latitude, self.center.latitude) <= height / 2.0
                    && position.distance(beside) <= width / 2.0
            }
        };
        within.then_some(distance)
    }

    /// The area that the shape lies in.
    fn bounds(&self) -> Area {
        let (width, height) = match self.shape {
            Shape::Circle(radius) => (radius, radius),
            Shape::Box(width, height) => (width / 2.0, height / 2.0),
        };
        let Position {
            longitude,
            latitude,
        } = self.center;
        let north_by = (height / EARTH_RADIUS).to_degrees();
        // Degrees of longitude are shortest on the side of the pole.
        let widest = if latitude < 0.0 {
            latitude - north_by
        } else {
            latitude + north_by
        };
        let east_by = (width / EARTH_RADIUS / widest.to_radians().cos()).to_degrees();
        Area {
            west: longitude - east_by,
            east: longitude + east_by,
            south: latitude - north_by,
            north: latitude + north_by,
        }
    }

    fn outer_radius(&self) -> f64 {
        match self.shape {
            Shape::Circle(radius) => radius,
            Shape::Box(width, height) => {
                let (x, y) = (width / 2.0, height / 2.0);
                (x * x + y * y).sqrt()
            }
        }
    }
}

/// The cell itself and its neighbours, in the order Redis visits them.
const SURROUNDINGS: [(i8, i8); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// Bits of either coordinate such that a cell and its neighbours cover a circle.
fn steps(radius: f64, latitude: f64) -> u32 {
    if radius <= 0.0 {
        return MAX_STEP;
    }
    let (mut reach, mut step) = (radius, 1i32);
    while reach < MERCATOR_MAX {
        reach *= 2.0;
        step += 1;
    }
    // Two more bits than fit, so that the circle lies within the neighbours however it lies in the
    // cell; less near the poles, where cells are narrow.
    step -= 2;
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, MAX_STEP as i32) as u32
}

fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS * (to.to_radians() - from.to_radians()).abs()
}

/// Degrees.
#[derive(Clone, Copy, Debug)]
struct Area {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

/// A geohash: the bits of both coordinates by turns, latitude in the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    /// Bits of either coordinate.
    step: u32,
}

impl Cell {
    fn around(position: Position, latitudes: (f64, f64), step: u32) -> Self {
        let scale = f64::from(1u32 << step);
        let part =
            |value: f64, (min, max): (f64, f64)| ((value - min) / (max - min) * scale) as u32;
        Self {
            bits: interleave(
                part(position.latitude, latitudes),
                part(position.longitude, LONGITUDES),
            ),
            step,
        }
    }

    fn area(self) -> Area {
        let scale = f64::from(1u32 << self.step);
        let edge = |part: u32, (min, max): (f64, f64)| min + f64::from(part) / scale * (max - min);
        let (latitude, longitude) = deinterleave(self.bits);
        Area {
            west: edge(longitude, LONGITUDES),
            east: edge(longitude.wrapping_add(1), LONGITUDES),
            south: edge(latitude, LATITUDES),
            north: edge(latitude.wrapping_add(1), LATITUDES),
        }
    }

    /// The cell `x` cells east and `y` cells north, around the edges of the world.
    ///
    /// The eastern and the northern edge lie in a cell of their own, one past the last; only a move
    /// along that axis wraps it around, as in Redis.
    fn moved(self, x: i8, y: i8) -> Self {
        let mask = (1u32 << self.step) - 1;
        let moved = |part: u32, by: i8| match by {
            0 => part,
            _ => part.wrapping_add_signed(by.into()) & mask,
        };
        let (latitude, longitude) = deinterleave(self.bits);
        Self {
            bits: interleave(moved(latitude, y), moved(longitude, x)),
            ..self
        }
    }

    fn neighbours_cover(self, area: &Area) -> bool {
        self.moved(0, 1).area().north >= area.north
            && self.moved(0, -1).area().south <= area.south
            && self.moved(1, 0).area().east >= area.east
            && self.moved(-1, 0).area().west <= area.west
    }
}

/// Bits of `even` and `odd` by turns, `even` in the lowest.
const fn interleave(even: u32, odd: u32) -> u64 {
    spread(even) | spread(odd) << 1
}

const fn deinterleave(bits: u64) -> (u32, u32) {
    (gather(bits), gather(bits >> 1))
}

/// Each bit to the place of twice its number ("Bit Twiddling Hacks", Anderson).
const fn spread(bits: u32) -> u64 {
    let mut x = bits as u64;
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & 0x5555_5555_5555_5555
}

const fn gather(bits: u64) -> u32 {
    let mut x = bits & 0x5555_5555_5555_5555;
    x = (x | x >> 1) & 0x3333_3333_3333_3333;
    x = (x | x >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x >> 4) & 0x00ff_00ff_00ff_00ff;
    x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
    (x | x >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::{Position, Search, Shape};

    const PALERMO: Position = Position {
        longitude: 13.361_389,
        latitude: 38.115_556,
    };

    const CATANIA: Position = Position {
        longitude: 15.087_269,
        latitude: 37.502_669,
    };

    /// The numbers are those of Redis 7.0.15.
    #[test]
    fn positions_and_distances_are_those_of_redis() {
        let [palermo, catania] =
            [PALERMO, CATANIA].map(|position| Position::from_score(position.score()));
        assert_eq!(
            super::super::float::format_fixed(palermo.longitude),
            "13.36138933897018433"
        );
        assert_eq!(
            super::super::float::format_fixed(palermo.latitude),
            "38.11555639549629859"
        );
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
        assert_eq!(
            [PALERMO.geohash(), catania.geohash()],
            [*b"sqc8b49rny0", *b"sqdtr74hyu0"]
        );
        assert!(
            !Position {
                latitude: 86.0,
                ..PALERMO
            }
            .is_encodable()
        );
        assert!(
            !Position {
                longitude: f64::NAN,
                ..PALERMO
            }
            .is_encodable()
        );
    }

    /// The members found, in the order of an unsorted GEOSEARCH on Redis 7.0.15.
    #[test]
    fn searches_in_the_order_of_redis() {
        let members = [
            ("Palermo", PALERMO),
            ("Catania", CATANIA),
            (
                "edge1",
                Position {
                    longitude: 12.758_489,
                    latitude: 38.788_135,
                },
            ),
            (
                "edge2",
                Position {
                    longitude: 17.241_510,
                    latitude: 38.788_135,
                },
            ),
        ];
        let search = |shape| {
            let center = Position {
                longitude: 15.0,
                latitude: 37.0,
            };
            let search = Search { center, shape };
            let mut found = Vec::new();
            for (first, behind) in search.score_ranges() {
                let mut within: Vec<_> = members
                    .iter()
                    .map(|(name, position)| (position.score(), name))
                    .filter(|(score, _)| (first..behind).contains(score))
                    .collect();
                within.sort_unstable();
                for (score, name) in within {
                    if let Some(distance) = search.distance_to(Position::from_score(score)) {
                        found.push(format!("{name} {:.4}", distance / 1000.0));
                    }
                }
            }
            found.join(" ")
        };
        assert_eq!(
            search(Shape::Box(400_000.0, 400_000.0)),
            "Palermo 190.4424 edge1 279.7405 Catania 56.4413 edge2 279.7403"
        );
        assert_eq!(
            search(Shape::Circle(200_000.0)),
            "Palermo 190.4424 Catania 56.4413"
        );
    }

    #[test]
    fn every_search_finds_all_that_is_within() {
        let mut rng = crate::value::Rng::new(11);
        let mut between =
            |min: f64, max: f64| min + (max - min) * (rng.next_u64() as f64 / u64::MAX as f64);
        for _ in 0..2000 {
            let center = Position {
                longitude: between(-170.0, 170.0),
                latitude: between(-80.0, 80.0),
            };
            let radius = 10f64.powf(between(0.0, 5.5));
            let search = Search {
                center,
                shape: Shape::Circle(radius),
            };
            let ranges = search.score_ranges();
            let reach = radius / 111_000.0;
            for _ in 0..20 {
                let position = Position {
                    longitude: center.longitude + between(-reach, reach),
                    latitude: center.latitude + between(-reach, reach),
                };
                let score = position.score();
                if search.distance_to(Position::from_score(score)).is_some() {
                    let found = ranges
                        .iter()
                        .filter(|(first, behind)| (first..behind).contains(&&score));
                    assert_eq!(found.count(), 1, "{search:?} {position:?}");
                }
            }
        }
    }
}
