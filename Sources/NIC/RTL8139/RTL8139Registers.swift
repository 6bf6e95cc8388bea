// SPDX-License-Identifier: GPL-2.0-or-later

/// Offsets of registers (RTL8139C+ data sheet, section 5 "Register descriptions"), those of one dword under the first.
enum RTL8139Register {
  static let idr0 = 0x00
  static let idr4 = 0x04
  static let mar0 = 0x08
  static let mar4 = 0x0C
  /// TSD0 … TSD3; in C+ mode the first two are DTCCR.
  static let tsd = 0x10..<0x20
  static let dtccr = 0x10
  /// TSAD0 … TSAD3; in C+ mode TNPDS and THPDS.
  static let tsad = 0x20
  static let tnpds = 0x20
  static let thpds = 0x28
  static let rbstart = 0x30
  /// ERBCR, ERSR and, in the upper byte, CR.
  static let command = 0x34
  /// CAPR, and CBR above it.
  static let capr = 0x38
  /// IMR, and ISR above it.
  static let imr = 0x3C
  static let tcr = 0x40
  static let rcr = 0x44
  static let tctr = 0x48
  static let mpc = 0x4C
  /// 9346CR, CONFIG0 and CONFIG1.
  static let cr9346 = 0x50
  static let timerInt = 0x54
  /// MSR, CONFIG3 and CONFIG4.
  static let msr = 0x58
  /// MULINT and RERID.
  static let mulint = 0x5C
  /// TSAD, the status of all descriptors, and BMCR.
  static let summary = 0x60
  /// BMSR and ANAR.
  static let bmsr = 0x64
  /// ANLPAR and ANER.
  static let anlpar = 0x68
  static let nwaytr = 0x70
  static let cscr = 0x74
  /// CONFIG5 and TPPoll.
  static let config5 = 0xD8
  static let cpcr = 0xE0
  static let rdsar = 0xE4
  static let end = 0x100

  /// What an RTL8139C has no registers at, of those that simply keep what is written.
  static let plusOnly = [cpcr, rdsar, rdsar + 4, 0xE8, 0xEC]

  /// The bits of registers that simply keep what is written, by offset.
  static let writable: [(offset: Int, mask: UInt32)] =
    [
      (idr0, 0xFFFF_FFFF), (idr4, 0xFFFF), (mar0, 0xFFFF_FFFF), (mar4, 0xFFFF_FFFF),
      (0x20, 0xFFFF_FFFF), (0x24, 0xFFFF_FFFF), (0x28, 0xFFFF_FFFF), (0x2C, 0xFFFF_FFFF),
      (rbstart, 0xFFFF_FFFF), (tcr, 0x0307_07F0), (rcr, 0x0F03_FFBF), (mulint, 0x0FFF), (nwaytr, 0xFF),
      (0x78, 0xFFFF_FFFF), (0x7C, 0xFFFF_FFFF), (0x80, 0xFF), (cpcr, 0xFFFF_007B),
      (rdsar, 0xFFFF_FF00), (0xE8, 0xFFFF_FFFF), (0xEC, 0x3F),
      // CRC0 … CRC7, Wakeup0 … Wakeup7 and LSBCRC0 … LSBCRC7.
    ] + stride(from: 0x84, to: 0xD4, by: 4).map { ($0, 0xFFFF_FFFF) }
}

/// CR, in the upper byte of its dword.
enum RTL8139Command {
  static let isBufferEmpty: UInt32 = 1 << 24
  static let transmit: UInt32 = 1 << 26
  static let receive: UInt32 = 1 << 27
  static let reset: UInt32 = 1 << 28
}

/// TSD0 … TSD3.
enum RTL8139TransmitStatus {
  static let sizeMask: UInt32 = 0x1FFF
  /// The card is done with it.
  static let own: UInt32 = 1 << 13
  static let underrun: UInt32 = 1 << 14
  static let sent: UInt32 = 1 << 15
  static let aborted: UInt32 = 1 << 30
  static let writable: UInt32 = 0x003F_3FFF
}

/// ISR, and what IMR lets through.
struct RTL8139Interrupts: OptionSet {
  let rawValue: UInt16
  static let received = RTL8139Interrupts(rawValue: 1 << 0)
  static let sent = RTL8139Interrupts(rawValue: 1 << 2)
  /// RXOVW; in C+ mode there was no receive descriptor.
  static let noDescriptor = RTL8139Interrupts(rawValue: 1 << 4)
  static let linkChange = RTL8139Interrupts(rawValue: 1 << 5)
  /// TDU: no transmit descriptor is left.
  static let noTransmitDescriptor = RTL8139Interrupts(rawValue: 1 << 7)
  static let software = RTL8139Interrupts(rawValue: 1 << 8)
  static let timeOut = RTL8139Interrupts(rawValue: 1 << 14)
  static let all: UInt16 = 0xE1FF
}

/// RCR.
struct RTL8139ReceiveConfiguration: OptionSet {
  let rawValue: UInt32
  static let allUnicast = RTL8139ReceiveConfiguration(rawValue: 1 << 0)
  static let ownAddress = RTL8139ReceiveConfiguration(rawValue: 1 << 1)
  static let multicast = RTL8139ReceiveConfiguration(rawValue: 1 << 2)
  static let broadcast = RTL8139ReceiveConfiguration(rawValue: 1 << 3)
  /// A frame is written on behind the ring's end rather than from its start.
  static let wrap = RTL8139ReceiveConfiguration(rawValue: 1 << 7)
  /// RBLEN: 8, 16, 32 or 64 KiB.
  static let lengthMask: UInt32 = 3 << 11
  var ringByteCount: Int { 8192 << Int(rawValue >> 11 & 3) }
}

/// TCR.
enum RTL8139TransmitConfiguration {
  static let loopbackMask: UInt32 = 3 << 17
  /// HWVERID.
  static func version(of chip: RTL8139.Chip) -> UInt32 {
    switch chip {
    case .c: 0x7400_0000
    case .cPlus: 0x7480_0000
    }
  }
}

/// 9346CR and the configuration registers, in one dword.
enum RTL8139Configuration {
  static let dataOut: UInt32 = 1 << 0
  static let dataIn: UInt32 = 1 << 1
  static let clock: UInt32 = 1 << 2
  static let select: UInt32 = 1 << 3
  static let modeMask: UInt32 = 3 << 6
  static let loadMode: UInt32 = 1 << 6
  static let programMode: UInt32 = 2 << 6
  static let unlockedMode: UInt32 = 3 << 6
  /// CONFIG0 and CONFIG1 at the bits the guest may write, and CONFIG1 after reset: ports and memory are mapped.
  static let writable01: UInt32 = 0x00F3_0700
  static let reset01: UInt32 = 0x000C_0000
  /// CONFIG3 and CONFIG4, and CONFIG3 after reset: fast back-to-back.
  static let writable34: UInt32 = 0x00F5_7000
  static let reset34: UInt32 = 0x0000_0100
  static let writable5: UInt32 = 0x7F
}

/// MSR.
enum RTL8139MediaStatus {
  static let base: UInt32 = 0xD0
  static let linkDown: UInt32 = 1 << 2
  static let speed10: UInt32 = 1 << 3
}

/// BMCR, BMSR and the other registers of the PHY.
enum RTL8139PHY {
  static let reset: UInt16 = 1 << 15
  static let speed100: UInt16 = 1 << 13
  static let negotiate: UInt16 = 1 << 12
  /// What 9346CR locks.
  static let locked: UInt16 = 1 << 13 | 1 << 12 | 1 << 8
  static let writable: UInt16 = 1 << 14 | locked
  static let controlAtReset: UInt16 = 0x3100
  static let status: UInt32 = 0x7809
  static let statusLinkUp: UInt32 = 0x24
  static let advertisement: UInt16 = 0x05E1
  static let advertisementWritable: UInt16 = 0x2DFF
  static let partner: UInt32 = 0x05E1
  static let partnerNegotiates: UInt32 = 1
  /// CSCR: heart beat and good link, as after reset.
  static let cscr: UInt32 = 0x0320
  static let cscrLinkUp: UInt32 = 1 << 10
  static let cscrLinkChanged: UInt32 = 1 << 11
}

/// CPCR.
struct RTL8139PlusCommand: OptionSet {
  let rawValue: UInt32
  static let transmit = RTL8139PlusCommand(rawValue: 1 << 0)
  static let receive = RTL8139PlusCommand(rawValue: 1 << 1)
  static let receiveChecksum = RTL8139PlusCommand(rawValue: 1 << 5)
  static let receiveVLAN = RTL8139PlusCommand(rawValue: 1 << 6)
}

/// TPPoll, in the second byte of its dword.
enum RTL8139Poll {
  static let softwareInterrupt: UInt32 = 1 << 8
  static let normal: UInt32 = 1 << 14
  static let high: UInt32 = 1 << 15
}
