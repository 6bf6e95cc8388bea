// SPDX-License-Identifier: GPL-2.0-or-later

/// The registers of page 0 (DP8390D data sheet, section 10.2); some offsets are another register when written.
enum DP8390Page0 {
  static let clda1 = 0x02
  static let pstart = 0x01
  static let pstop = 0x02
  static let bnry = 0x03
  /// TSR when read.
  static let tpsr = 0x04
  /// NCR when read.
  static let tbcr0 = 0x05
  /// FIFO when read.
  static let tbcr1 = 0x06
  static let isr = 0x07
  /// CRDA0 when read.
  static let rsar0 = 0x08
  /// CRDA1 when read.
  static let rsar1 = 0x09
  /// 8029ID0 when read.
  static let rbcr0 = 0x0A
  /// 8029ID1 when read.
  static let rbcr1 = 0x0B
  /// RSR when read.
  static let rcr = 0x0C
  /// CNTR0 when read.
  static let tcr = 0x0D
  /// CNTR1 when read.
  static let dcr = 0x0E
  /// CNTR2 when read.
  static let imr = 0x0F
}

/// The registers of page 1.
enum DP8390Page1 {
  static let par = 0x01..<0x07
  static let curr = 0x07
  static let mar = 0x08..<0x10
}

/// The registers of page 2, which can only be read.
enum DP8390Page2 {
  static let pstart = 0x01
  static let pstop = 0x02
  static let tpsr = 0x04
  static let rcr = 0x0C
  static let tcr = 0x0D
  static let dcr = 0x0E
  static let imr = 0x0F
}

/// The registers of page 3, which Realtek added (RTL8029AS data sheet, section 5.1.4).
enum DP8390Page3 {
  static let config2 = 0x05
  static let config3 = 0x06
  /// 10BaseT is the medium.
  static let config2Value: UInt8 = 0x40
  /// Full duplex.
  static let config3Value: UInt8 = 0x40
}

/// The command register, at offset 0 of every page.
struct DP8390Command: OptionSet {
  let rawValue: UInt8
  static let stop = DP8390Command(rawValue: 1 << 0)
  static let start = DP8390Command(rawValue: 1 << 1)
  static let transmit = DP8390Command(rawValue: 1 << 2)
  static let remoteRead = DP8390Command(rawValue: 1 << 3)
  static let remoteWrite = DP8390Command(rawValue: 1 << 4)
  static let remoteAbort = DP8390Command(rawValue: 1 << 5)
  /// Which page offsets 1 … 15 are on.
  var page: UInt8 { rawValue >> 6 }
}

/// ISR; IMR lets all but the last through.
struct DP8390Interrupts: OptionSet {
  let rawValue: UInt8
  static let received = DP8390Interrupts(rawValue: 1 << 0)
  static let transmitted = DP8390Interrupts(rawValue: 1 << 1)
  static let counterOverflow = DP8390Interrupts(rawValue: 1 << 5)
  static let remoteDone = DP8390Interrupts(rawValue: 1 << 6)
  /// The chip is stopped.
  static let reset = DP8390Interrupts(rawValue: 1 << 7)
}

/// RCR.
struct DP8390ReceiveConfiguration: OptionSet {
  let rawValue: UInt8
  static let acceptBroadcast = DP8390ReceiveConfiguration(rawValue: 1 << 2)
  static let acceptMulticast = DP8390ReceiveConfiguration(rawValue: 1 << 3)
  static let promiscuous = DP8390ReceiveConfiguration(rawValue: 1 << 4)
  /// Frames are looked at and counted, but not stored.
  static let monitor = DP8390ReceiveConfiguration(rawValue: 1 << 5)
}

/// RSR, and the first byte in front of a frame in the ring.
enum DP8390ReceiveStatus {
  static let intact: UInt8 = 1 << 0
  /// To a group.
  static let group: UInt8 = 1 << 5
}

/// Bits of TSR, TCR and DCR.
enum DP8390Bits {
  static let transmitted: UInt8 = 1 << 0
  static let loopbackMask: UInt8 = 3 << 1
  static let wordTransfers: UInt8 = 1 << 0
}
