// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import DynamicLibrary

/// The functions of libslirp 4.7, by the library's names without `slirp_`. The library brings GLib with it, and is
/// opened when a user network is made.
struct SlirpFunctions: Sendable {
  typealias Slirp = OpaquePointer

  let new:
    @convention(c) (UnsafePointer<SlirpConfig>, UnsafePointer<SlirpCb>, UnsafeMutableRawPointer) -> Slirp?
  let cleanup: @convention(c) (Slirp) -> Void
  let pollfdsFill:
    @convention(c) (Slirp, UnsafeMutablePointer<UInt32>, SlirpAddPollCb, UnsafeMutableRawPointer) -> Void
  let pollfdsPoll: @convention(c) (Slirp, Int32, SlirpGetREventsCb, UnsafeMutableRawPointer) -> Void
  let input: @convention(c) (Slirp, UnsafePointer<UInt8>, Int32) -> Void
  let handleTimer: @convention(c) (Slirp, SlirpTimerId, UnsafeMutableRawPointer?) -> Void
  let addHostForward:
    @convention(c) (
      Slirp, UnsafePointer<sockaddr>, socklen_t, UnsafePointer<sockaddr>, socklen_t, Int32
    ) -> Int32
  let removeHostForward: @convention(c) (Slirp, UnsafePointer<sockaddr>, socklen_t, Int32) -> Int32
  let addExec: @convention(c) (Slirp, UnsafePointer<CChar>, UnsafeMutablePointer<in_addr>, Int32) -> Int32
  let addUnix: @convention(c) (Slirp, UnsafePointer<CChar>, UnsafeMutablePointer<in_addr>, Int32) -> Int32
  let addGuestForward:
    @convention(c) (Slirp, SlirpWriteCb, UnsafeMutableRawPointer, UnsafeMutablePointer<in_addr>, Int32) ->
      Int32
  let socketCanReceive: @convention(c) (Slirp, in_addr, Int32) -> Int
  let socketReceive: @convention(c) (Slirp, in_addr, Int32, UnsafePointer<UInt8>, Int32) -> Void
  let connectionInfo: @convention(c) (Slirp) -> UnsafeMutablePointer<CChar>?
  let stateSave: @convention(c) (Slirp, SlirpWriteCb, UnsafeMutableRawPointer) -> Void
  let stateVersion: @convention(c) () -> Int32
  let stateLoad: @convention(c) (Slirp, Int32, SlirpReadCb, UnsafeMutableRawPointer) -> Int32

  /// The library, loaded when it is first asked for.
  static let shared = Result { () throws(DynamicLibraryError) in try SlirpFunctions() }

  private init() throws(DynamicLibraryError) {
    let library = try DynamicLibrary("libslirp.so.0")
    new = try library.function("slirp_new")
    cleanup = try library.function("slirp_cleanup")
    pollfdsFill = try library.function("slirp_pollfds_fill")
    pollfdsPoll = try library.function("slirp_pollfds_poll")
    input = try library.function("slirp_input")
    handleTimer = try library.function("slirp_handle_timer")
    addHostForward = try library.function("slirp_add_hostxfwd")
    removeHostForward = try library.function("slirp_remove_hostxfwd")
    addExec = try library.function("slirp_add_exec")
    addUnix = try library.function("slirp_add_unix")
    addGuestForward = try library.function("slirp_add_guestfwd")
    socketCanReceive = try library.function("slirp_socket_can_recv")
    socketReceive = try library.function("slirp_socket_recv")
    connectionInfo = try library.function("slirp_connection_info")
    stateSave = try library.function("slirp_state_save")
    stateVersion = try library.function("slirp_state_version")
    stateLoad = try library.function("slirp_state_load")
  }
}
