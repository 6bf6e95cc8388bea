// SPDX-License-Identifier: GPL-2.0-or-later

/// The 8254's control words (Intel data sheet 231164, "Programming the 8254").
enum PIT8254Register {
  /// The control word's address; 0 … 2 are the counters.
  static let control = 3

  /// SC1, SC0 = 11: the read-back command. Its bits 5 and 4 latch when they are zero.
  enum ReadBack {
    static let select: UInt8 = 3
    static let noCount: UInt8 = 1 << 5
    static let noStatus: UInt8 = 1 << 4
  }

  /// Bits of the status byte besides those of the control word.
  enum Status {
    static let output: UInt8 = 1 << 7
    static let nullCount: UInt8 = 1 << 6
  }

  /// RW1, RW0, and which byte of a counter comes next.
  enum Access {
    static let latch: UInt8 = 0
    static let low: UInt8 = 1
    static let high: UInt8 = 2
    static let lowThenHigh: UInt8 = 3
    /// The second half of `lowThenHigh`.
    static let highOfBoth: UInt8 = 4
  }
}
