// SPDX-License-Identifier: GPL-2.0-or-later

/// Register offsets of one 8237A (Intel 8237A data sheet, 231466, figures 5 and 6). Offsets 0 … 7 are the address and
/// the count of channels 0 … 3, in turn. On the second controller of a PC each register takes two ports.
enum DMA8237Offset {
  static let command = 0x8
  /// Read: the same place as the command.
  static let status = 0x8
  static let request = 0x9
  static let singleMask = 0xA
  static let mode = 0xB
  static let clearFlipFlop = 0xC
  static let masterClear = 0xD
  /// Read: the same place as master clear.
  static let temporary = 0xD
  static let clearMask = 0xE
  static let allMask = 0xF
}

/// The command register. Timing, priority and the levels of DREQ and DACK mean nothing here.
enum DMA8237Command {
  static let disable: UInt8 = 1 << 2
}

/// The mode register of a channel.
struct DMA8237Mode: OptionSet {
  let rawValue: UInt8
  /// The channel starts over at terminal count.
  static let autoInitialize = DMA8237Mode(rawValue: 1 << 4)
  /// The address counts down.
  static let decrement = DMA8237Mode(rawValue: 1 << 5)

  /// Bits 3 … 2: what a transfer does to memory.
  enum Transfer: UInt8 {
    case verify = 0
    /// From the device to memory.
    case write = 1
    /// From memory to the device.
    case read = 2
    case illegal = 3
  }
  var transfer: Transfer { Transfer(rawValue: rawValue >> 2 & 3) ?? .illegal }
  /// Bits 7 … 6: the channel only passes another controller's requests on.
  var isCascade: Bool { rawValue >> 6 == 3 }
}

/// Single mask and request: bits 1 … 0 the channel, bit 2 what to do.
enum DMA8237Select {
  static let channelMask: UInt8 = 3
  static let set: UInt8 = 1 << 2
}

/// The page registers at 0x80 … 0x8F (PIIX3 data sheet, 290550, section 2.5.1.8): address bits 23 … 16 of a channel.
/// Channel 4 cascades, and its register only keeps what is written, as do those of no channel.
enum DMAPage {
  /// The offset from 0x80 of the register of channel 0 … 7.
  static func offset(ofChannel channel: Int) -> Int {
    switch channel {
    case 0: 0x7
    case 1: 0x3
    case 2: 0x1
    case 3: 0x2
    case 4: 0xF
    case 5: 0xB
    case 6: 0x9
    default: 0xA
    }
  }
}
