// SPDX-License-Identifier: GPL-2.0-or-later

/// What a transfer request block is (xHCI 1.2, table 6-91).
enum XHCIBlockType: UInt8 {
  // Of transfer rings; Link and No Op also of the command ring.
  case normal = 1
  case setupStage = 2
  case dataStage = 3
  case statusStage = 4
  case isochronous = 5
  case link = 6
  case eventData = 7
  case noOperation = 8
  // Of the command ring.
  case enableSlot = 9
  case disableSlot = 10
  case addressDevice = 11
  case configureEndpoint = 12
  case evaluateContext = 13
  case resetEndpoint = 14
  case stopEndpoint = 15
  case setDequeuePointer = 16
  case resetDevice = 17
  case noOperationCommand = 23
  // Of event rings.
  case transferEvent = 32
  case commandCompletion = 33
  case portStatusChange = 34
  // NEC's, of the command ring and its event.
  case necCommandCompletion = 48
  case necGetFirmware = 49
}

/// How something ended (table 6-90).
enum XHCICompletion: UInt8 {
  case success = 1
  case babble = 3
  case transactionError = 4
  case blockError = 5
  case stall = 6
  case noSlots = 9
  case slotNotEnabled = 11
  case endpointNotEnabled = 12
  case shortPacket = 13
  case parameterError = 17
  case contextStateError = 19
  case commandRingStopped = 24
  case stopped = 26
}

/// A transfer request block, TRB: 16 bytes (section 4.11).
struct XHCIBlock: Codable, Equatable {
  static let byteCount = 16
  /// Where the control word is.
  static let controlOffset: UInt64 = 12
  /// An address, or immediate data.
  var parameter: UInt64 = 0
  var status: UInt32 = 0
  var control: UInt32 = 0

  /// C: says whether the producer or the consumer has it.
  static let cycle: UInt32 = 1 << 0
  /// TC of a Link: the cycle changes behind it.
  static let togglesCycle: UInt32 = 1 << 1
  /// ISP
  static let interruptOnShort: UInt32 = 1 << 2
  /// CH
  static let chain: UInt32 = 1 << 4
  /// IOC
  static let interruptOnCompletion: UInt32 = 1 << 5
  /// IDT
  static let immediateData: UInt32 = 1 << 6
  /// BSR of Address Device, DC of Configure Endpoint, TSP of Reset Endpoint, BEI of a transfer.
  static let bit9: UInt32 = 1 << 9
  /// DIR of a data or status stage.
  static let directionIn: UInt32 = 1 << 16
  /// ED of a Transfer Event.
  static let isEventData: UInt32 = 1 << 2

  var type: XHCIBlockType? { XHCIBlockType(rawValue: UInt8(truncatingIfNeeded: control >> 10 & 63)) }
  func has(_ flag: UInt32) -> Bool { control & flag != 0 }
  /// TRB Transfer Length.
  var byteCount: Int { Int(status & 0x1FFFF) }
  /// Interrupter Target.
  var interrupter: Int { Int(status >> 22) }
  var slot: Int { Int(control >> 24) }
  var endpoint: Int { Int(control >> 16 & 31) }

  /// A block that is none yet.
  init() {}

  /// An event.
  init(
    _ type: XHCIBlockType, parameter: UInt64, completion: XHCICompletion, length: UInt32 = 0,
    flags: UInt32 = 0
  ) {
    self.parameter = parameter
    status = UInt32(completion.rawValue) << 24 | length & 0xFF_FFFF
    control = UInt32(type.rawValue) << 10 | flags
  }
}
