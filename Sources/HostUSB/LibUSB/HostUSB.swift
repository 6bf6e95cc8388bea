// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CLibUSB
import DynamicLibrary
import EventLoop
import Glibc

/// The USB devices of the host, by libusb. Called with the machine's lock held.
///
/// What libusb waits for is in one epoll descriptor, which the event loop watches; calls that wait in the kernel are made
/// by a thread of their own.
public final class HostUSB {
  private let functions: LibUSBFunctions
  private let context: LibUSBFunctions.Context
  private let loop: EventLoop
  private let strings: HostUSBStrings
  private let worker = LibUSBWorker()
  private let poll: Int32
  private var watch: EventLoop.Watch?
  /// What is open, or about to be closed.
  private var devices: [LibUSBDevice] = []
  private var isClosed = false

  /// Loads the library and looks at the host's devices.
  public convenience init(loop: EventLoop) throws(HostUSBError) {
    let functions: LibUSBFunctions
    do { functions = try LibUSBFunctions.library.get() } catch {
      throw HostUSBError("libusb cannot be loaded (\(error)); Debian's package is libusb-1.0-0")
    }
    try self.init(loop: loop, functions: functions, strings: HostUSBStrings())
  }

  init(loop: EventLoop, functions: LibUSBFunctions, strings: HostUSBStrings) throws(HostUSBError) {
    (self.loop, self.functions, self.strings) = (loop, functions, strings)
    var context: LibUSBFunctions.Context?
    // It has a thread of its own, for devices that come and go.
    let code = ServiceThread.withoutSignals { functions.initialize(&context) }
    guard code == 0, let context else {
      throw HostUSBError(
        "there is no USB on this host, or no /dev/bus/usb in this container (libusb: \(Self.name(code, functions)))"
      )
    }
    self.context = context
    poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    do throws(HostError) {
      guard poll >= 0 else { throw HostError("cannot create an epoll descriptor") }
      watch = try loop.watch(poll, for: .readable) { [unowned self] _ in handleEvents() }
    } catch {
      if poll >= 0 { Glibc.close(poll) }
      functions.exit(context)
      throw HostUSBError("\(error)")
    }
    watchDescriptors()
    // Where devices that leave are not told of, their transfers fail.
    let leaves: libusb_hotplug_callback_fn = { _, device, _, owner in
      guard let device, let owner else { return 0 }
      Unmanaged<HostUSB>.fromOpaque(owner).takeUnretainedValue().left(device)
      return 0
    }
    _ = functions.registerHotplug(
      context, Int32(LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT.rawValue), 0, Self.any, Self.any, Self.any, leaves,
      Unmanaged.passUnretained(self).toOpaque(), nil)
  }

  /// LIBUSB_HOTPLUG_MATCH_ANY
  private static let any: Int32 = -1

  private static func name(_ code: Int32, _ functions: LibUSBFunctions) -> String {
    functions.errorName(code).map { String(cString: $0) } ?? "\(code)"
  }

  // MARK: Events

  /// Keeps the library's descriptors in ours. It tells of changes on any thread, which epoll does not mind.
  private func watchDescriptors() {
    if let list = functions.getPollDescriptors(context) {
      var index = 0
      while let entry = list[index] {
        Self.add(entry.pointee.fd, entry.pointee.events, to: poll)
        index += 1
      }
      functions.freePollDescriptors(list)
    }
    functions.setPollNotifiers(
      context,
      { descriptor, events, poll in HostUSB.add(descriptor, events, to: Int32(Int(bitPattern: poll))) },
      { descriptor, poll in epoll_ctl(Int32(Int(bitPattern: poll)), EPOLL_CTL_DEL, descriptor, nil) },
      UnsafeMutableRawPointer(bitPattern: Int(poll)))
  }

  /// epoll's bits are poll's.
  private static func add(_ descriptor: Int32, _ events: Int16, to poll: Int32) {
    var event = epoll_event(events: UInt32(UInt16(bitPattern: events)), data: epoll_data_t(fd: descriptor))
    epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event)
  }

  private func handleEvents(milliseconds: Int = 0) {
    var time = timeval(tv_sec: 0, tv_usec: milliseconds * 1000)
    _ = functions.handleEvents(context, &time, nil)
  }

  private func left(_ device: LibUSBFunctions.Device) {
    devices.first { functions.getDevice($0.handle) == device }?.noteGone()
  }

  // MARK: Devices

  /// Takes a device for the guest.
  public func open(_ filter: HostUSBFilter) throws(HostUSBError) -> any HostUSBDevice {
    var list: UnsafeMutablePointer<LibUSBFunctions.Device?>?
    let count = functions.getDeviceList(context, &list)
    guard count >= 0, let list else {
      throw HostUSBError(
        "the host's USB devices cannot be listed (libusb: \(Self.name(Int32(clamping: count), functions)))")
    }
    defer { functions.freeDeviceList(list, 1) }
    let known = (0..<count).compactMap { index in list[index].map { ($0, facts(of: $0)) } }
    let meant = known.filter { filter.matches($0.1) }
    guard !meant.isEmpty else { throw HostUSBError(filter.complaint(among: known.map(\.1))) }
    let free = meant.first { _, facts in
      !devices.contains { $0.facts.bus == facts.bus && $0.facts.address == facts.address }
    }
    guard let (device, facts) = free else {
      throw HostUSBError("\(meant[0].1.description) is in use by this guest already")
    }
    return try open(device, facts)
  }

  private func open(_ device: LibUSBFunctions.Device, _ facts: HostUSBFacts) throws(HostUSBError)
    -> LibUSBDevice
  {
    // It may be one that was given back just now.
    worker.drain()
    var handle: LibUSBFunctions.Handle?
    let code = functions.open(device, &handle)
    guard code == 0, let handle else { throw refusal(of: facts, code) }
    let opened = LibUSBDevice(
      facts, configurations: configurations(of: device), handle: handle, functions: functions, loop: loop,
      worker: worker
    ) { [unowned self] in devices.removeAll { $0.handle == handle } }
    devices.append(opened)
    let taken = opened.take()
    guard taken == 0 else {
      opened.close()
      throw refusal(of: facts, taken)
    }
    return opened
  }

  private func refusal(of facts: HostUSBFacts, _ code: Int32) -> HostUSBError {
    let device = facts.description
    switch code {
    case LIBUSB_ERROR_ACCESS.rawValue:
      let (vendor, product) = (facts.identity.prefix(4), facts.identity.suffix(4))
      return HostUSBError(
        "no permission to use \(device): let the user write to \(facts.node), for good with the udev rule"
          + " 'SUBSYSTEM==\"usb\", ATTR{idVendor}==\"\(vendor)\", ATTR{idProduct}==\"\(product)\", MODE=\"0660\","
          + " GROUP=\"kvm\"'")
    case LIBUSB_ERROR_BUSY.rawValue: return HostUSBError("\(device) is in use by another program")
    case LIBUSB_ERROR_NO_DEVICE.rawValue, LIBUSB_ERROR_NOT_FOUND.rawValue:
      return HostUSBError("\(device) was just pulled out")
    default: return HostUSBError("\(device) cannot be used (libusb: \(Self.name(code, functions)))")
    }
  }

  private func facts(of device: LibUSBFunctions.Device) -> HostUSBFacts {
    var descriptor = libusb_device_descriptor()
    _ = functions.getDeviceDescriptor(device, &descriptor)
    // USB 3.2 section 10: seven tiers, so no more numbers.
    let ports = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 8) { numbers in
      guard let base = numbers.baseAddress else { return "" }
      let count = functions.getPortNumbers(device, base, Int32(numbers.count))
      return (0..<max(0, min(Int(count), numbers.count))).map { "\(base[$0])" }.joined(separator: ".")
    }
    let speed: HostUSBSpeed =
      switch functions.getDeviceSpeed(device) {
      case Int32(LIBUSB_SPEED_LOW.rawValue): .low
      case Int32(LIBUSB_SPEED_HIGH.rawValue): .high
      case Int32(LIBUSB_SPEED_SUPER.rawValue)...: .superSpeed
      default: .full
      }
    let bus = Int(functions.getBusNumber(device))
    return HostUSBFacts(
      bus: bus, address: Int(functions.getDeviceAddress(device)), port: ports, vendor: descriptor.idVendor,
      product: descriptor.idProduct, speed: speed,
      isHub: UInt32(descriptor.bDeviceClass) == LIBUSB_CLASS_HUB.rawValue || ports.isEmpty,
      name: strings.name(bus: bus, port: ports))
  }

  /// All configurations, as the library has checked them.
  private func configurations(of device: LibUSBFunctions.Device) -> [HostUSBConfiguration] {
    var descriptor = libusb_device_descriptor()
    guard functions.getDeviceDescriptor(device, &descriptor) == 0 else { return [] }
    return (0..<descriptor.bNumConfigurations).compactMap { index in
      var found: LibUSBFunctions.Configuration?
      guard functions.getConfiguration(device, index, &found) == 0, let found else { return nil }
      defer { functions.freeConfiguration(found) }
      return HostUSBConfiguration(found.pointee)
    }
  }

  /// Gives all devices back. Waits for what is on its way, but not for ever.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    let open = devices
    for device in open { device.close() }
    var patience = Self.closingRounds
    while patience > 0, open.contains(where: \.hasTransfers) {
      handleEvents(milliseconds: Self.closingMilliseconds)
      patience -= 1
    }
    worker.end()
    watch?.cancel()
    watch = nil
    functions.setPollNotifiers(context, nil, nil, nil)
    Glibc.close(poll)
    // With a transfer that never came back the library would wait for it.
    if !open.contains(where: \.hasTransfers) { functions.exit(context) }
  }

  deinit { close() }

  private static let closingRounds = 20
  private static let closingMilliseconds = 50
}

extension HostUSBConfiguration {
  fileprivate init(_ configuration: libusb_config_descriptor) {
    let interfaces = UnsafeBufferPointer(
      start: configuration.interface, count: Int(configuration.bNumInterfaces))
    self.init(
      value: configuration.bConfigurationValue,
      interfaces: interfaces.flatMap { interface in
        UnsafeBufferPointer(start: interface.altsetting, count: Int(max(0, interface.num_altsetting))).map {
          HostUSBInterface($0)
        }
      })
  }
}

extension HostUSBInterface {
  fileprivate init(_ interface: libusb_interface_descriptor) {
    self.init(
      number: interface.bInterfaceNumber, alternate: interface.bAlternateSetting,
      endpoints: UnsafeBufferPointer(start: interface.endpoint, count: Int(interface.bNumEndpoints)).map {
        HostUSBEndpoint(
          address: $0.bEndpointAddress, kind: $0.bmAttributes, maxPacketSize: $0.wMaxPacketSize,
          interval: $0.bInterval)
      })
  }
}
