// SPDX-License-Identifier: GPL-2.0-or-later

/// A random number generator with a seed, so that a fuzz test can be repeated (SplitMix64, by Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators").
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  /// A generator that gives the same numbers for the same seed.
  public init(seed: UInt64) { state = seed }
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
