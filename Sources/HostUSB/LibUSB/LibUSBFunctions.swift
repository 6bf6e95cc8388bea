// SPDX-License-Identifier: GPL-2.0-or-later

import CLibUSB
import DynamicLibrary

/// The functions of libusb 1.0 that are used, by the library's names without `libusb_`. Looked up rather than linked: a
/// machine without devices of the host does not load the library; and tests put functions of their own here.
struct LibUSBFunctions: Sendable {
  typealias Context = OpaquePointer
  typealias Device = OpaquePointer
  typealias Handle = OpaquePointer
  typealias Transfer = UnsafeMutablePointer<libusb_transfer>
  typealias Configuration = UnsafeMutablePointer<libusb_config_descriptor>
  typealias PollDescriptors = UnsafeMutablePointer<UnsafePointer<libusb_pollfd>?>

  // The library.
  var initialize: @convention(c) (UnsafeMutablePointer<Context?>?) -> Int32
  var exit: @convention(c) (Context) -> Void
  var errorName: @convention(c) (Int32) -> UnsafePointer<CChar>?

  // Devices.
  var getDeviceList: @convention(c) (Context, UnsafeMutablePointer<UnsafeMutablePointer<Device?>?>) -> Int
  var freeDeviceList: @convention(c) (UnsafeMutablePointer<Device?>, Int32) -> Void
  var getDeviceDescriptor: @convention(c) (Device, UnsafeMutablePointer<libusb_device_descriptor>) -> Int32
  var getConfiguration: @convention(c) (Device, UInt8, UnsafeMutablePointer<Configuration?>) -> Int32
  var freeConfiguration: @convention(c) (Configuration) -> Void
  var getBusNumber: @convention(c) (Device) -> UInt8
  var getDeviceAddress: @convention(c) (Device) -> UInt8
  var getPortNumbers: @convention(c) (Device, UnsafeMutablePointer<UInt8>, Int32) -> Int32
  var getDeviceSpeed: @convention(c) (Device) -> Int32
  var open: @convention(c) (Device, UnsafeMutablePointer<Handle?>) -> Int32
  var getDevice: @convention(c) (Handle) -> Device?
  var close: @convention(c) (Handle) -> Void

  // What the kernel does.
  var setAutoDetach: @convention(c) (Handle, Int32) -> Int32
  var getActiveConfiguration: @convention(c) (Handle, UnsafeMutablePointer<Int32>) -> Int32
  var setConfiguration: @convention(c) (Handle, Int32) -> Int32
  var claimInterface: @convention(c) (Handle, Int32) -> Int32
  var releaseInterface: @convention(c) (Handle, Int32) -> Int32
  var setInterface: @convention(c) (Handle, Int32, Int32) -> Int32
  var clearHalt: @convention(c) (Handle, UInt8) -> Int32
  var resetDevice: @convention(c) (Handle) -> Int32

  // Transfers.
  var allocateTransfer: @convention(c) (Int32) -> Transfer?
  var freeTransfer: @convention(c) (Transfer) -> Void
  var submitTransfer: @convention(c) (Transfer) -> Int32
  var cancelTransfer: @convention(c) (Transfer) -> Int32

  // Events.
  var getPollDescriptors: @convention(c) (Context) -> PollDescriptors?
  var freePollDescriptors: @convention(c) (PollDescriptors) -> Void
  var setPollNotifiers:
    @convention(c) (Context, libusb_pollfd_added_cb?, libusb_pollfd_removed_cb?, UnsafeMutableRawPointer?) ->
      Void
  var handleEvents:
    @convention(c) (Context, UnsafeMutablePointer<timeval>, UnsafeMutablePointer<Int32>?) -> Int32
  var registerHotplug:
    @convention(c) (
      Context, Int32, Int32, Int32, Int32, Int32, libusb_hotplug_callback_fn?, UnsafeMutableRawPointer?,
      UnsafeMutablePointer<Int32>?
    ) -> Int32

  /// Those of the library, loaded when they are first asked for.
  static let library = Result { () throws(DynamicLibraryError) in try LibUSBFunctions() }

  init() throws(DynamicLibraryError) {
    let library = try DynamicLibrary("libusb-1.0.so.0")
    initialize = try library.function("libusb_init")
    exit = try library.function("libusb_exit")
    errorName = try library.function("libusb_error_name")
    getDeviceList = try library.function("libusb_get_device_list")
    freeDeviceList = try library.function("libusb_free_device_list")
    getDeviceDescriptor = try library.function("libusb_get_device_descriptor")
    getConfiguration = try library.function("libusb_get_config_descriptor")
    freeConfiguration = try library.function("libusb_free_config_descriptor")
    getBusNumber = try library.function("libusb_get_bus_number")
    getDeviceAddress = try library.function("libusb_get_device_address")
    getPortNumbers = try library.function("libusb_get_port_numbers")
    getDeviceSpeed = try library.function("libusb_get_device_speed")
    open = try library.function("libusb_open")
    getDevice = try library.function("libusb_get_device")
    close = try library.function("libusb_close")
    setAutoDetach = try library.function("libusb_set_auto_detach_kernel_driver")
    getActiveConfiguration = try library.function("libusb_get_configuration")
    setConfiguration = try library.function("libusb_set_configuration")
    claimInterface = try library.function("libusb_claim_interface")
    releaseInterface = try library.function("libusb_release_interface")
    setInterface = try library.function("libusb_set_interface_alt_setting")
    clearHalt = try library.function("libusb_clear_halt")
    resetDevice = try library.function("libusb_reset_device")
    allocateTransfer = try library.function("libusb_alloc_transfer")
    freeTransfer = try library.function("libusb_free_transfer")
    submitTransfer = try library.function("libusb_submit_transfer")
    cancelTransfer = try library.function("libusb_cancel_transfer")
    getPollDescriptors = try library.function("libusb_get_pollfds")
    freePollDescriptors = try library.function("libusb_free_pollfds")
    setPollNotifiers = try library.function("libusb_set_pollfd_notifiers")
    handleEvents = try library.function("libusb_handle_events_timeout_completed")
    registerHotplug = try library.function("libusb_hotplug_register_callback")
  }
}
