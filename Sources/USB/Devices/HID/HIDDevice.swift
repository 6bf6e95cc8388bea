// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// What every human interface device keeps.
public struct HIDCore: Codable, Equatable, Sendable {
  /// The idle rate in units of 4 ms; 0 reports changes only (HID 1.11 section 7.2.4).
  var idle: UInt8 = 0
  /// 0 is the boot protocol, 1 the report protocol (section 7.2.6).
  var reportProtocol: UInt8 = 1
  /// The idle time is over: the last report is to be told again.
  var isRepeatDue = false
  /// When that is next.
  var repeatDeadline: UInt64?
}

/// A human interface device (HID 1.11) with one interrupt endpoint that reports, endpoint 1.
///
/// The subclass says what its reports are. While there is nothing to report the endpoint answers NAK; that costs nothing.
public class HIDDevice: USBDevice {
  /// Told when a driver begins or ceases to use it: until then another device may serve the same purpose.
  public var onUse: ((_ isInUse: Bool) -> Void)?
  var hid = HIDCore()
  private let clock: Clock
  private let reportDescriptor: [UInt8]
  private lazy var repeatTimer = clock.makeTimer { [unowned self] in repeatReport() }
  private static let reportByteCount = 8

  init(
    product: String, serial: String, classCode: (UInt8, UInt8, UInt8), reportDescriptor: [UInt8],
    reportSize: UInt16,
    clock: Clock
  ) {
    self.clock = clock
    self.reportDescriptor = reportDescriptor
    let length = UInt16(truncatingIfNeeded: reportDescriptor.count)
    let hidDescriptor: [UInt8] = [
      9, HIDDescriptorType.hid, 0x11, 0x01, 0, 1, HIDDescriptorType.report, UInt8(truncatingIfNeeded: length),
      UInt8(truncatingIfNeeded: length >> 8),
    ]
    func configuration(interval: UInt8) -> USBConfigurationDescription {
      USBConfigurationDescription(
        wakesRemotely: true,
        interfaces: [
          USBInterfaceDescription(
            classCode: classCode, classDescriptors: hidDescriptor,
            endpoints: [
              USBEndpointDescription(.in(1), .interrupt, maxPacketSize: reportSize, interval: interval)
            ])
        ])
    }
    // Every 10 ms at full speed, every 2^(7-1) microframes, 8 ms, at high speed.
    super.init(
      USBDescription(
        vendor: 0x0627, product: 0x0001, release: 0x0100, strings: ["Martlet", product, serial],
        configurations: [.full: configuration(interval: 10), .high: configuration(interval: 7)]))
  }

  // MARK: For subclasses

  /// Whether there is something to report.
  var hasNews: Bool { false }

  /// Writes the next report, and takes the news in it for told.
  /// - Returns: its length, at most 8 bytes.
  func makeReport(_ report: UnsafeMutableRawBufferPointer) -> Int { 0 }

  /// Writes the report as things are, without taking anything for told.
  func presentReport(_ report: UnsafeMutableRawBufferPointer) -> Int { 0 }

  /// SET_REPORT of an output report.
  /// - Returns: false if it has none such.
  func takeOutput(_ report: UnsafeRawBufferPointer) -> Bool { false }

  /// Forgets what is waiting.
  func forget() {}

  /// There is something to report: wakes the bus if it sleeps.
  func announce() {
    wakeUp()
    endpointReady(.in(1))
  }

  /// Whether a driver has configured it.
  public var isInUse: Bool { core.configuration != 0 }

  // MARK: The bus

  public override func transfer(_ transfer: USBTransfer) -> USBResult {
    guard transfer.token == .in, hasNews || hid.isRepeatDue else {
      return transfer.token == .in ? .nak : .stall
    }
    return withUnsafeTemporaryAllocation(byteCount: Self.reportByteCount, alignment: 8) { report in
      report.initializeMemory(as: UInt8.self, repeating: 0)
      let count = hasNews ? makeReport(report) : presentReport(report)
      hid.isRepeatDue = false
      armRepeat()
      guard count <= transfer.byteCount else { return .babble }
      transfer.write(UnsafeRawBufferPointer(rebasing: report[..<count]))
      return .success
    }
  }

  private func armRepeat() {
    guard hid.idle != 0 else { return repeatTimer.disarm() }
    repeatTimer.arm(at: clock.now &+ UInt64(hid.idle) * 4_000_000)
  }

  private func repeatReport() {
    hid.isRepeatDue = true
    endpointReady(.in(1))
  }

  public override func control(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult
  {
    guard request.recipient == .interface, request.index == 0 else { return .stall }
    let high = UInt8(truncatingIfNeeded: request.value >> 8)
    let low = UInt8(truncatingIfNeeded: request.value)
    switch (request.kind, request.request) {
    case (.standard, USBStandardRequest.getDescriptor):
      guard high == HIDDescriptorType.report else { return .stall }
      return reply(reportDescriptor, data)
    case (.class, HIDRequest.getReport):
      guard high == HIDReportType.input, data.count >= Self.reportByteCount else { return .stall }
      return .success(presentReport(UnsafeMutableRawBufferPointer(rebasing: data[..<Self.reportByteCount])))
    case (.class, HIDRequest.setReport):
      guard high == HIDReportType.output else { return .stall }
      return takeOutput(UnsafeRawBufferPointer(data)) ? .success(0) : .stall
    case (.class, HIDRequest.getIdle):
      data[0] = hid.idle
      return .success(1)
    case (.class, HIDRequest.setIdle):
      hid.idle = high
      hid.isRepeatDue = false
      armRepeat()
      return .success(0)
    case (.class, HIDRequest.getProtocol):
      data[0] = hid.reportProtocol
      return .success(1)
    case (.class, HIDRequest.setProtocol):
      guard low <= 1 else { return .stall }
      hid.reportProtocol = low
      return .success(0)
    default: return .stall
    }
  }

  public override func configurationChanged() { onUse?(isInUse) }

  public override func busReset() {
    startAnew()
    onUse?(false)
  }

  public override func pulledOut() { busReset() }

  func startAnew() {
    hid = HIDCore()
    repeatTimer.disarm()
    forget()
  }

  func saveHID() -> HIDCore {
    var saved = hid
    saved.repeatDeadline = repeatTimer.deadline
    return saved
  }

  func restore(hid saved: HIDCore) {
    hid = saved
    repeatTimer.disarm()
    if let deadline = saved.repeatDeadline { repeatTimer.arm(at: deadline) }
    onUse?(isInUse)
  }
}
