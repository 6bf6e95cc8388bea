// SPDX-License-Identifier: GPL-2.0-or-later

import HostUSB
import TestSupport
import Testing

@testable import USB

@Suite struct USBHostDeviceTests {
  private let host: TestHost
  private let real = FakeHostDevice()
  private let device: USBHostDevice

  init() throws {
    host = try TestHost(speeds: [.high])
    device = USBHostDevice(host: real)
    #expect(host.port.attach(device))
    #expect(host.control(0, 5, value: 1, device) == .success)
    configure()
  }

  private func configure(_ value: UInt16 = 1) {
    #expect(host.control(0, 9, value: value, device) == .nak)
    real.endOperations()
    #expect(host.begin(in: 0, 0, from: device).1 == .success)
  }

  // MARK: Control

  @Test func requestsReachTheDevice() throws {
    // The guest asks for a device descriptor; it waits until the device has answered.
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    let transfer = try #require(real.transfer(0))
    #expect(transfer.setup == [0x80, 6, 0, 1, 0, 0, 18, 0] && transfer.byteCount == 18)
    #expect(host.begin(in: 0, 18, from: device).1 == .nak)
    transfer.end(.success, Array(1...18))
    #expect(host.ready.last == .in(0))
    #expect(host.read(0, 18, from: device) == Array(1...18))
    #expect(host.begin(out: 0, [], to: device).1 == .success)
  }

  @Test func dataOfRequestsReachesTheDevice() throws {
    #expect(host.control(0x21, 9, value: 0x0200, index: 0, data: [7, 8, 9], device) == .nak)
    let transfer = try #require(real.transfer(0))
    #expect(transfer.setup == [0x21, 9, 0, 2, 0, 0, 3, 0] && Array(transfer.data) == [7, 8, 9])
    transfer.end(.success, claiming: 3)
    #expect(host.begin(in: 0, 0, from: device).1 == .success)
  }

  @Test func refusedRequestsAndShortAnswers() throws {
    #expect(host.control(0x80, 6, value: 0x0300, count: 255, device) == nil)
    real.transfer(0)?.end(.stall)
    #expect(host.begin(in: 0, 255, from: device).1 == .stall)
    #expect(host.control(0x80, 6, value: 0x0300, count: 255, device) == nil)
    real.transfer(0)?.end(.success, [4, 3, 9, 4])
    #expect(host.read(0, 255, from: device) == [4, 3, 9, 4])
    // A device, or a library, that claims to have sent more than there is room for.
    #expect(host.control(0x80, 6, value: 0x0300, count: 2, device) == nil)
    real.transfer(0)?.end(.success, [1, 2, 3, 4], claiming: 4_000_000)
    #expect(host.read(0, 2, from: device) == [1, 2])
  }

  /// A driver that asks something else instead of waiting does not get the old answer.
  @Test func abandonedRequestsAreForgotten() throws {
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    let old = try #require(real.transfer(0))
    #expect(host.control(0xC0, 1, count: 1, device) == nil)
    #expect(old.isCancelled)
    old.end(.cancelled, [99])
    #expect(host.begin(in: 0, 1, from: device).1 == .nak)
    real.transfer(0)?.end(.success, [5])
    #expect(host.read(0, 1, from: device) == [5])
  }

  // MARK: What the kernel does

  @Test func configurationsAndHaltsAreTheKernelsBusiness() {
    #expect(real.operations == [.setConfiguration(1)] && device.core.configuration == 1)
    #expect(host.control(1, 11, value: 1, index: 0, device) == .nak)
    real.endOperations()
    #expect(real.operations.last == .setInterface(0, alternate: 1))
    #expect(device.endpoint(.in(4)) != nil && device.endpoint(.in(1)) == nil)
    #expect(host.control(1, 11, value: 0, index: 0, device) == .nak)
    real.endOperations()
    #expect(host.control(2, 1, value: 0, index: 0x81, device) == .nak)
    real.endOperations()
    #expect(real.operations.last == .clearHalt(endpoint: 0x81))
    // What the kernel refuses is refused.
    #expect(host.control(0, 9, value: 7, device) == .nak)
    real.endOperations(succeeded: false)
    #expect(host.begin(in: 0, 0, from: device).1 == .stall)
    #expect(device.core.configuration == 1)
  }

  /// Nothing begins while the kernel is at it; all goes on afterwards.
  @Test func operationsComeFirst() throws {
    device.resetFromPort()
    #expect(real.operations.last == .reset && device.core.configuration == 0)
    #expect(host.control(0, 5, value: 2, device) == .success)
    #expect(host.control(0x80, 6, value: 0x0100, count: 8, device) == nil)
    #expect(real.inFlight.isEmpty)
    real.endOperations()
    try #require(real.transfer(0)).end(.success, [18, 1])
    #expect(host.read(0, 8, from: device) == [18, 1])
    // A second reset before the guest has given an address does not reach it, and a bulk transfer waits for the next.
    configure()
    device.resetFromPort()
    let count = real.operations.count
    device.resetFromPort()
    #expect(real.operations.count == count)
    #expect(host.begin(in: 1, 512, from: device).1 == .stall)
  }

  @Test func resetsCanBeKeptFromIt() throws {
    for (resets, expected) in [(USBHostDevice.Resets.none, 0), (.all, 2)] {
      let real = FakeHostDevice()
      let device = USBHostDevice(host: real, resets: resets)
      device.resetFromPort()
      device.resetFromPort()
      #expect(real.operations.count == expected)
    }
  }

  // MARK: Bulk and interrupt

  @Test func bulkBothWays() throws {
    let (out, result) = host.begin(out: 2, [1, 2, 3], to: device)
    #expect(result == .pending)
    let sent = try #require(real.transfer(2))
    #expect(sent.kind == .bulk && Array(sent.data) == [1, 2, 3])
    sent.end(.success, claiming: 3)
    #expect(out.result == .success && out.doneCount == 3)
    let (read, _) = host.begin(in: 1, 512, from: device)
    // Fewer bytes than asked for.
    real.transfer(0x81)?.end(.success, [9, 8])
    #expect(read.result == .success && host.bytes(of: read) == [9, 8])
    let (report, _) = host.begin(in: 3, 8, from: device)
    let interrupt = try #require(real.transfer(0x83))
    #expect(interrupt.kind == .interrupt)
    interrupt.end(.success, [1])
    #expect(host.bytes(of: report) == [1])
    // What was used is used again.
    _ = host.begin(in: 1, 512, from: device)
    #expect(real.transfer(0x81) === sent || real.transfer(0x81) === interrupt)
  }

  @Test func stallsHaltUntilCleared() {
    let (transfer, _) = host.begin(in: 1, 512, from: device)
    real.transfer(0x81)?.end(.stall)
    #expect(transfer.result == .stall)
    #expect(host.begin(in: 1, 512, from: device).1 == .stall && real.inFlight.isEmpty)
    #expect(host.control(2, 1, value: 0, index: 0x81, device) == .nak)
    real.endOperations()
    #expect(host.begin(in: 1, 512, from: device).1 == .pending)
  }

  @Test func errorsAreTold() {
    for (result, expected) in [
      (HostUSBTransfer.Result.babble, USBResult.babble), (.error, .error), (.cancelled, .error),
    ] {
      let (transfer, _) = host.begin(in: 1, 512, from: device)
      real.transfer(0x81)?.end(result)
      #expect(transfer.result == expected)
    }
    real.takesTransfers = false
    #expect(host.begin(in: 1, 512, from: device).1 == .error)
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    #expect(host.begin(in: 0, 18, from: device).1 == .stall)
    // Isochronous endpoints, and none.
    #expect(host.begin(in: 4, 512, from: device).1 == .error)
    #expect(host.begin(in: 9, 512, from: device).1 == .error)
  }

  /// What comes for a transfer that was taken back is given to the next; nothing else begins before.
  @Test func nothingIsLostOrMixedUpByCancelling() throws {
    let (transfer, _) = host.begin(in: 1, 512, from: device)
    let old = try #require(real.transfer(0x81))
    transfer.cancel()
    #expect(old.isCancelled)
    #expect(host.begin(in: 1, 512, from: device).1 == .nak)
    old.end(.cancelled, [1, 2, 3])
    #expect(host.ready.last == .in(1) && host.completed.isEmpty)
    #expect(host.read(1, 2, from: device) == [1, 2])
    #expect(host.read(1, 512, from: device) == [3])
    #expect(host.begin(in: 1, 512, from: device).1 == .pending)
    // After a clear nothing old is left.
    let second = try #require(real.transfer(0x81))
    host.control(2, 1, value: 0, index: 0x81, device)
    real.endOperations()
    second.end(.success, [7])
    let (third, _) = host.begin(in: 1, 512, from: device)
    third.cancel()
    real.transfer(0x81)?.end(.success, [8])
    configure()
    #expect(host.begin(in: 1, 512, from: device).1 == .pending)
  }

  @Test func configuringEndsTransfers() throws {
    let (transfer, _) = host.begin(in: 1, 512, from: device)
    let flight = try #require(real.transfer(0x81))
    #expect(host.control(0, 9, value: 2, device) == .nak)
    #expect(flight.isCancelled && transfer.isPending)
    // The kernel's word for it is that the device is gone; it is not.
    flight.end(.gone)
    #expect(transfer.result == .error)
    real.endOperations()
    #expect(host.begin(in: 0, 0, from: device).1 == .success)
    #expect(host.begin(in: 1, 512, from: device).1 == .error)
  }

  @Test func muchAtATimeWaits() throws {
    var pending = 0
    for _ in 0..<100 where host.begin(in: 1, 1000, from: device).1 == .pending { pending += 1 }
    #expect(pending == HostFlights.countLimit)
    let count = host.ready.count
    real.transfer(0x81)?.end(.success, [1])
    #expect(host.ready.count == count + 1)
    #expect(host.begin(in: 1, 1000, from: device).1 == .pending)
    #expect(host.begin(in: 1, HostUSBTransfer.maximumByteCount + 1, from: device).1 == .error)
  }

  // MARK: Coming and going

  @Test func vanishing() throws {
    var goneCount = 0
    device.onGone = { goneCount += 1 }
    let (transfer, _) = host.begin(in: 1, 512, from: device)
    let other = host.begin(in: 3, 8, from: device).0
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    real.transfer(0x81)?.end(.gone)
    #expect(goneCount == 1 && transfer.result == .error)
    real.observer?.hostDeviceGone()
    #expect(goneCount == 1)
    #expect(host.begin(in: 0, 18, from: device).1 == .stall)
    let interrupt = try #require(real.transfer(0x83))
    #expect(interrupt.isCancelled)
    #expect(host.begin(in: 1, 512, from: device).1 == .error)
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    host.port.detach()
    #expect(other.result == .error)
    for transfer in real.inFlight { transfer.end(.gone) }
    device.close()
    #expect(real.isClosed)
  }

  @Test func pullingOutTakesAllBack() throws {
    let (transfer, _) = host.begin(in: 1, 512, from: device)
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    host.port.detach()
    #expect(transfer.result == .error)
    #expect(real.inFlight.count == 2 && real.inFlight.allSatisfy(\.isCancelled))
    for transfer in real.inFlight { transfer.end(.cancelled, [1]) }
    #expect(host.completed.count == 1)
  }

  @Test func stateRoundTrip() throws {
    #expect(host.control(1, 11, value: 1, index: 0, device) == .nak)
    real.endOperations()
    #expect(host.control(0x80, 6, value: 0x0100, count: 18, device) == nil)
    let other = try TestHost(speeds: [.high])
    let otherReal = FakeHostDevice()
    let copy = USBHostDevice(host: otherReal)
    #expect(other.port.attach(copy))
    try transplant(from: device, to: copy)
    // The device is brought to where it was, and asked again.
    #expect(otherReal.operations == [.setConfiguration(1), .setInterface(0, alternate: 1)])
    #expect(other.begin(in: 0, 18, from: copy).1 == .nak)
    otherReal.endOperations()
    try #require(otherReal.transfer(0)).end(.success, [18])
    #expect(other.read(0, 18, from: copy) == [18])
    #expect(copy.endpoint(.in(4)) != nil && copy.core.address == 1)
    otherReal.facts.product = 1
    #expect(throws: (any Error).self) { try transplant(from: device, to: copy) }
  }

  @Test(arguments: [1, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomGuestsAndDevices(seed: UInt64) {
    print("usb-host seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let results: [HostUSBTransfer.Result] = [.success, .stall, .babble, .error, .cancelled, .success]
    var transfers: [USBTransfer] = []
    for _ in 0..<5000 {
      let bits = random.next()
      let number = UInt8(bits >> 8 & 7)
      switch bits % 10 {
      case 0: transfers.append(host.begin(in: number, Int(bits >> 16 & 0xFFF), from: device).0)
      case 1:
        transfers.append(
          host.begin(out: number, [UInt8](repeating: 5, count: Int(bits >> 16 & 0x3FF)), to: device).0)
      case 2: transfers.randomElement(using: &random)?.cancel()
      case 3:
        host.control(
          UInt8(bits >> 8 & 3), UInt8(bits >> 16 & 15), value: UInt16(bits >> 20 & 3),
          index: UInt16(bits >> 24 & 0x83),
          device)
      case 4:
        _ = host.control(
          UInt8(bits >> 8 & 0x7F) | 0x80, UInt8(bits >> 16 & 0xFF),
          value: UInt16(truncatingIfNeeded: bits >> 24),
          count: UInt16(truncatingIfNeeded: bits >> 40), device)
      case 5: device.resetFromPort()
      case 6: real.endOperations(succeeded: bits >> 8 & 7 != 0)
      case 7:
        _ = host.control(0, 9, value: 1, device)
        real.endOperations()
      default:
        real.inFlight.randomElement(using: &random)?.end(
          results[Int((bits >> 8) % 6)], [UInt8](repeating: 1, count: Int(bits >> 16 & 0xFF)),
          claiming: Int(truncatingIfNeeded: bits >> 24))
      }
      transfers.removeAll { !$0.isPending }
    }
    host.port.detach()
    #expect(transfers.allSatisfy { !$0.isPending })
  }
}
