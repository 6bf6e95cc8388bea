// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CLibUSB
import DynamicLibrary
import EventLoop
import Glibc

@testable import HostUSB

/// libusb with one device, in place of the library: its functions are the library's but for what would need hardware.
///
/// C functions have no context, so there is one for all; its tests run one after the other.
final class FakeLibUSB: @unchecked Sendable {
  // Unchecked: everything is guarded by `lock`, as the library's own state is.
  static let shared = FakeLibUSB()
  private let lock = MachineLock()
  private var state = State()

  struct State {
    var openCode: Int32 = 0
    var claimCode: Int32 = 0
    var submitCode: Int32 = 0
    var resetCode: Int32 = 0
    var activeConfiguration: Int32 = 1
    var hasDevice = true
    /// What was called, in order.
    var calls: [String] = []
    /// What was submitted and has not ended.
    var submitted: [UnsafeMutablePointer<libusb_transfer>] = []
    /// What ends when events are handled.
    var ended: [UnsafeMutablePointer<libusb_transfer>] = []
    var hotplug: (libusb_hotplug_callback_fn, UnsafeMutableRawPointer?)?
    var hasLeft = false
  }

  static func with<Result>(_ body: (inout State) -> Result) -> Result {
    shared.lock.withLock { body(&shared.state) }
  }

  static func note(_ call: String, _ code: Int32 = 0) -> Int32 {
    with { $0.calls.append(call) }
    return code
  }

  /// An eventfd that is readable while something has ended.
  static let doorbell = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))

  static func ring() {
    var one: UInt64 = 1
    _ = write(doorbell, &one, 8)
  }

  /// Ends the oldest transfer that was submitted.
  static func end(_ status: libusb_transfer_status, _ bytes: [UInt8] = [], count: Int32? = nil) {
    with { state in
      guard !state.submitted.isEmpty else { return }
      let transfer = state.submitted.removeFirst()
      transfer.pointee.status = status
      let offset = transfer.pointee.type == 0 ? 8 : 0
      for (index, byte) in bytes.enumerated() where index + offset < Int(transfer.pointee.length) {
        transfer.pointee.buffer[index + offset] = byte
      }
      transfer.pointee.actual_length = count ?? Int32(bytes.count)
      state.ended.append(transfer)
    }
    ring()
  }

  // Things that only their addresses matter of.
  nonisolated(unsafe) static let context = OpaquePointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
  nonisolated(unsafe) static let device = OpaquePointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
  nonisolated(unsafe) static let handle = OpaquePointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
  nonisolated(unsafe) private static let pollDescriptor: UnsafeMutablePointer<libusb_pollfd> = {
    let entry = UnsafeMutablePointer<libusb_pollfd>.allocate(capacity: 1)
    entry.initialize(to: libusb_pollfd(fd: doorbell, events: Int16(POLLIN)))
    return entry
  }()

  /// The functions, with everything forgotten.
  static func functions() throws -> LibUSBFunctions {
    with { $0 = State() }
    var functions = try LibUSBFunctions.library.get()
    functions.initialize = { context in
      context?.pointee = FakeLibUSB.context
      return 0
    }
    functions.exit = { _ in _ = FakeLibUSB.note("exit") }
    functions.getDeviceList = { _, list in
      let has = FakeLibUSB.with { $0.hasDevice }
      let devices = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: 2)
      devices.initialize(repeating: nil, count: 2)
      if has { devices[0] = FakeLibUSB.device }
      list.pointee = devices
      return has ? 1 : 0
    }
    functions.freeDeviceList = { list, _ in list.deallocate() }
    functions.getDeviceDescriptor = { _, descriptor in
      descriptor.pointee.idVendor = 0x0951
      descriptor.pointee.idProduct = 0x1666
      descriptor.pointee.bNumConfigurations = 2
      return 0
    }
    functions.getConfiguration = { _, index, result in
      let endpoint = UnsafeMutablePointer<libusb_endpoint_descriptor>.allocate(capacity: 1)
      endpoint.initialize(to: libusb_endpoint_descriptor())
      endpoint.pointee.bEndpointAddress = 0x81
      endpoint.pointee.bmAttributes = 2
      endpoint.pointee.wMaxPacketSize = 512
      let setting = UnsafeMutablePointer<libusb_interface_descriptor>.allocate(capacity: 1)
      setting.initialize(to: libusb_interface_descriptor())
      setting.pointee.bNumEndpoints = 1
      setting.pointee.endpoint = UnsafePointer(endpoint)
      let interface = UnsafeMutablePointer<libusb_interface>.allocate(capacity: 1)
      interface.initialize(to: libusb_interface(altsetting: UnsafePointer(setting), num_altsetting: 1))
      let configuration = UnsafeMutablePointer<libusb_config_descriptor>.allocate(capacity: 1)
      configuration.initialize(to: libusb_config_descriptor())
      configuration.pointee.bConfigurationValue = index + 1
      configuration.pointee.bNumInterfaces = 1
      configuration.pointee.interface = UnsafePointer(interface)
      result.pointee = configuration
      return 0
    }
    functions.freeConfiguration = { configuration in
      let interface = configuration.pointee.interface
      interface?.pointee.altsetting.pointee.endpoint.deallocate()
      interface?.pointee.altsetting.deallocate()
      interface?.deallocate()
      configuration.deallocate()
    }
    functions.getBusNumber = { _ in 1 }
    functions.getDeviceAddress = { _ in 4 }
    functions.getPortNumbers = { _, numbers, _ in
      numbers[0] = 1
      numbers[1] = 3
      return 2
    }
    functions.getDeviceSpeed = { _ in 3 }
    functions.open = { _, handle in
      handle.pointee = FakeLibUSB.handle
      return FakeLibUSB.with { $0.openCode }
    }
    functions.getDevice = { _ in FakeLibUSB.device }
    functions.close = { _ in _ = FakeLibUSB.note("close") }
    functions.setAutoDetach = { _, isOn in FakeLibUSB.note("detach \(isOn)") }
    functions.getActiveConfiguration = { _, value in
      value.pointee = FakeLibUSB.with { $0.activeConfiguration }
      return 0
    }
    functions.setConfiguration = { _, value in
      FakeLibUSB.with { $0.activeConfiguration = value }
      return FakeLibUSB.note("configure \(value)")
    }
    functions.claimInterface = { _, number in
      FakeLibUSB.note("claim \(number)", FakeLibUSB.with { $0.claimCode })
    }
    functions.releaseInterface = { _, number in FakeLibUSB.note("release \(number)") }
    functions.setInterface = { _, number, alternate in FakeLibUSB.note("interface \(number) \(alternate)") }
    functions.clearHalt = { _, endpoint in FakeLibUSB.note("clear \(endpoint)") }
    functions.resetDevice = { _ in FakeLibUSB.note("reset", FakeLibUSB.with { $0.resetCode }) }
    functions.submitTransfer = { transfer in
      FakeLibUSB.with { state in
        guard state.submitCode == 0 else { return state.submitCode }
        state.submitted.append(transfer)
        return 0
      }
    }
    functions.cancelTransfer = { transfer in
      let isThere = FakeLibUSB.with { state in
        guard let index = state.submitted.firstIndex(of: transfer) else { return false }
        state.submitted.remove(at: index)
        transfer.pointee.status = LIBUSB_TRANSFER_CANCELLED
        transfer.pointee.actual_length = 0
        state.ended.append(transfer)
        return true
      }
      if isThere { FakeLibUSB.ring() }
      return isThere ? 0 : LIBUSB_ERROR_NOT_FOUND.rawValue
    }
    functions.getPollDescriptors = { _ in
      let list = UnsafeMutablePointer<UnsafePointer<libusb_pollfd>?>.allocate(capacity: 2)
      list[0] = UnsafePointer(FakeLibUSB.pollDescriptor)
      list[1] = nil
      return list
    }
    functions.freePollDescriptors = { $0.deallocate() }
    functions.setPollNotifiers = { _, _, _, _ in }
    functions.handleEvents = { context, _, _ in
      var count: UInt64 = 0
      _ = read(FakeLibUSB.doorbell, &count, 8)
      let (ended, hotplug) = FakeLibUSB.with { state in
        defer { (state.ended, state.hasLeft) = ([], false) }
        return (state.ended, state.hasLeft ? state.hotplug : nil)
      }
      for transfer in ended { transfer.pointee.callback?(transfer) }
      if let (callback, owner) = hotplug {
        _ = callback(context, FakeLibUSB.device, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, owner)
      }
      return 0
    }
    functions.registerHotplug = { _, _, _, _, _, _, callback, owner, _ in
      FakeLibUSB.with { state in if let callback { state.hotplug = (callback, owner) } }
      return 0
    }
    return functions
  }

  /// The device was pulled out.
  static func leave() {
    with { $0.hasLeft = true }
    ring()
  }
}
