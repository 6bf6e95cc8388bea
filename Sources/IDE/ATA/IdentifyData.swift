// SPDX-License-Identifier: GPL-2.0-or-later

/// The 256 words of IDENTIFY (PACKET) DEVICE.
struct IdentifyData {
  private let words: UnsafeMutableRawBufferPointer

  /// Data in the first 512 bytes of `buffer`, all zero. The buffer must be that long.
  init(in buffer: UnsafeMutableRawBufferPointer) {
    words = UnsafeMutableRawBufferPointer(rebasing: buffer[..<512])
    words.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// A word.
  subscript(word: Int) -> UInt16 {
    get { UInt16(words[word * 2]) | UInt16(words[word * 2 + 1]) << 8 }
    nonmutating set {
      words[word * 2] = UInt8(truncatingIfNeeded: newValue)
      words[word * 2 + 1] = UInt8(truncatingIfNeeded: newValue >> 8)
    }
  }

  /// A string, two characters a word, the first in the high byte, padded with spaces.
  func setText(_ text: String, words range: ClosedRange<Int>) {
    var bytes = Array(text.utf8.prefix(range.count * 2))
    bytes += Array(repeating: 0x20, count: range.count * 2 - bytes.count)
    for (index, word) in range.enumerated() {
      self[word] = UInt16(bytes[index * 2]) << 8 | UInt16(bytes[index * 2 + 1])
    }
  }

  /// A number of several words, the low one first.
  func setNumber(_ value: UInt64, words range: ClosedRange<Int>) {
    for (index, word) in range.enumerated() {
      self[word] = UInt16(truncatingIfNeeded: value >> UInt64(index * 16))
    }
  }

  /// The integrity word: signature and checksum of all bytes (ATA/ATAPI-6, section 8.15.61).
  func seal() {
    self[255] = 0xA5
    let sum = words.dropLast().reduce(UInt8(0)) { $0 &+ $1 }
    words[511] = 0 &- sum
  }
}
