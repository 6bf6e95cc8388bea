// SPDX-License-Identifier: GPL-2.0-or-later

import CLibUSB
import EventLoop
import Foundation
import Testing

@testable import HostUSB

@Suite(.serialized) struct HostUSBTests {
  private let lock = MachineLock()
  private let loop: EventLoop
  private let usb: HostUSB

  init() throws {
    loop = try EventLoop(lock: lock)
    usb = try HostUSB(
      loop: loop, functions: try FakeLibUSB.functions(), strings: HostUSBStrings(directory: "/nowhere"))
  }

  /// Runs the loop until something is true.
  private func wait(_ what: String, until condition: () -> Bool) {
    for _ in 0..<500 where !condition() { loop.runOnce(timeoutMilliseconds: 10) }
    #expect(condition(), "\(what)")
  }

  private final class Observer: HostUSBObserver, HostUSBTransferOwner {
    var operations: [(HostUSBOperation, Bool)] = []
    var goneCount = 0
    var ended: [HostUSBTransfer] = []
    func hostOperationEnded(_ operation: HostUSBOperation, succeeded: Bool) {
      operations.append((operation, succeeded))
    }
    func hostDeviceGone() { goneCount += 1 }
    func hostTransferEnded(_ transfer: HostUSBTransfer) { ended.append(transfer) }
  }

  private func calls() -> [String] { FakeLibUSB.with { $0.calls } }

  @Test func aDeviceIsTakenAndGivenBack() throws {
    let device = try usb.open(HostUSBFilter(vendor: 0x0951))
    #expect(
      device.facts
        == HostUSBFacts(bus: 1, address: 4, port: "1.3", vendor: 0x0951, product: 0x1666, speed: .high))
    #expect(device.configurations.map(\.value) == [1, 2])
    #expect(
      device.configurations[0].interfaces[0].endpoints
        == [HostUSBEndpoint(address: 0x81, kind: 2, maxPacketSize: 512, interval: 0)])
    #expect(calls() == ["detach 1", "claim 0"])
    #expect(throws: HostUSBError("0951:1666 (bus 1, address 4, port 1.3) is in use by this guest already")) {
      _ = try usb.open(HostUSBFilter(vendor: 0x0951))
    }
    device.close()
    // It can be had again at once.
    let again = try usb.open(HostUSBFilter(bus: 1, address: 4))
    #expect(calls().dropFirst(2) == ["release 0", "close", "detach 1", "claim 0"])
    again.close()
    usb.close()
    #expect(calls().suffix(3) == ["release 0", "close", "exit"])
  }

  @Test func whyItCannotBeHad() throws {
    func complaint() -> String {
      do { _ = try usb.open(HostUSBFilter(vendor: 0x0951)) } catch { return error.description }
      return ""
    }
    FakeLibUSB.with { $0.openCode = LIBUSB_ERROR_ACCESS.rawValue }
    #expect(complaint().contains("let the user write to /dev/bus/usb/001/004"))
    #expect(complaint().contains("ATTR{idVendor}==\"0951\", ATTR{idProduct}==\"1666\""))
    FakeLibUSB.with { $0.openCode = LIBUSB_ERROR_NO_MEM.rawValue }
    #expect(complaint().contains("LIBUSB_ERROR_NO_MEM"))
    FakeLibUSB.with { ($0.openCode, $0.claimCode) = (0, LIBUSB_ERROR_BUSY.rawValue) }
    #expect(complaint() == "0951:1666 (bus 1, address 4, port 1.3) is in use by another program")
    FakeLibUSB.with { $0.hasDevice = false }
    #expect(complaint() == "there is no USB device on this host that a guest could have")
  }

  @Test func transfersEndOnTheLoop() throws {
    let device = try usb.open(HostUSBFilter(vendor: 0x0951))
    let observer = Observer()
    device.observer = observer
    let transfer = try #require(device.makeTransfer())
    transfer.owner = observer
    #expect(transfer.prepare(.control, endpoint: 0, byteCount: 18, setup: 0x0012_0000_0100_0680))
    #expect(transfer.submit() && !transfer.submit())
    let given = try #require(FakeLibUSB.with { $0.submitted.first })
    #expect(given.pointee.type == 0 && given.pointee.length == 26 && given.pointee.buffer[0] == 0x80)
    FakeLibUSB.end(LIBUSB_TRANSFER_COMPLETED, [18, 1])
    wait("the transfer's end") { observer.ended.count == 1 }
    #expect(transfer.result == .success && Array(transfer.data[..<transfer.doneCount]) == [18, 1])
    for (status, result) in [
      (LIBUSB_TRANSFER_STALL, HostUSBTransfer.Result.stall), (LIBUSB_TRANSFER_OVERFLOW, .babble),
      (LIBUSB_TRANSFER_ERROR, .error), (LIBUSB_TRANSFER_TIMED_OUT, .error),
      (LIBUSB_TRANSFER_NO_DEVICE, .gone),
    ] {
      #expect(transfer.prepare(.bulk, endpoint: 0x81, byteCount: 100_000) && transfer.submit())
      FakeLibUSB.end(status, count: .max)
      wait("an end") { !transfer.isInFlight }
      #expect(transfer.result == result && transfer.doneCount == 100_000)
    }
    #expect(transfer.prepare(.interrupt, endpoint: 0x81, byteCount: 8) && transfer.submit())
    transfer.cancel()
    #expect(transfer.isInFlight)
    wait("the cancelled one") { !transfer.isInFlight }
    #expect(transfer.result == .cancelled)
    #expect(!transfer.prepare(.bulk, endpoint: 0x81, byteCount: HostUSBTransfer.maximumByteCount + 1))
    device.close()
    usb.close()
  }

  @Test func theKernelsWorkIsDoneInOrder() throws {
    let device = try usb.open(HostUSBFilter(vendor: 0x0951))
    let observer = Observer()
    device.observer = observer
    for operation in [
      HostUSBOperation.reset, .setConfiguration(2), .setInterface(0, alternate: 1),
      .clearHalt(endpoint: 0x81),
      .setConfiguration(0),
    ] { device.begin(operation) }
    wait("five operations") { observer.operations.count == 5 }
    let areGood = observer.operations.allSatisfy { $0.1 }
    #expect(areGood)
    #expect(
      calls().dropFirst(2) == [
        "reset", "release 0", "configure 2", "claim 0", "interface 0 1", "clear 129", "release 0",
        "configure -1",
      ])
    // It does not come back from a reset.
    FakeLibUSB.with { $0.resetCode = LIBUSB_ERROR_NOT_FOUND.rawValue }
    device.begin(.reset)
    wait("its end") { observer.goneCount == 1 }
    #expect(observer.operations.last?.1 == false)
    // What is begun afterwards fails, and is told.
    device.begin(.reset)
    wait("the last") { observer.operations.count == 7 }
    let late = try #require(device.makeTransfer())
    #expect(!late.submit())
    device.close()
    usb.close()
  }

  @Test func leaving() throws {
    let device = try usb.open(HostUSBFilter(vendor: 0x0951))
    let observer = Observer()
    device.observer = observer
    FakeLibUSB.leave()
    wait("that it is gone") { observer.goneCount == 1 }
    device.close()
    let other = try usb.open(HostUSBFilter(vendor: 0x0951))
    other.observer = observer
    let transfer = try #require(other.makeTransfer())
    FakeLibUSB.with { $0.submitCode = LIBUSB_ERROR_NO_DEVICE.rawValue }
    #expect(transfer.prepare(.bulk, endpoint: 0x81, byteCount: 8) && !transfer.submit())
    wait("that it is gone") { observer.goneCount == 2 }
    other.close()
    usb.close()
  }

  /// Nothing of a device is given up while the library has a transfer of it.
  @Test func closingWaitsForTransfers() throws {
    let device = try usb.open(HostUSBFilter(vendor: 0x0951))
    let observer = Observer()
    let transfer = try #require(device.makeTransfer())
    transfer.owner = observer
    #expect(transfer.prepare(.bulk, endpoint: 0x81, byteCount: 8) && transfer.submit())
    device.close()
    #expect(!calls().contains("close"))
    usb.close()
    #expect(calls().suffix(3) == ["release 0", "close", "exit"])
    #expect(observer.ended.isEmpty)
  }

  @Test func namesAreWhatTheKernelRead() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "martlet-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let place = directory.appendingPathComponent("1-1.3")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try Data("Kingston\n".utf8).write(to: place.appendingPathComponent("manufacturer"))
    try Data(" Data\u{1B}[2JTraveler  \n".utf8).write(to: place.appendingPathComponent("product"))
    let strings = HostUSBStrings(directory: directory.path)
    #expect(strings.name(bus: 1, port: "1.3") == "Kingston Data[2JTraveler")
    #expect(strings.name(bus: 1, port: "2") == "")
  }
}
