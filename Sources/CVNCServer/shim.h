// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <rfb/keysym.h>
#include <rfb/rfb.h>
#include <rfb/rfbproto.h>
#include <rfb/rfbregion.h>
#include <stdarg.h>
#include <stdio.h>

/* libvncserver logs through variadic function pointers, which Swift can neither call nor make. */
typedef void (*martlet_rfbLogSink)(const char *line);
static inline martlet_rfbLogSink *martlet_rfbLogSinkSlot(void) {
  static martlet_rfbLogSink sink;
  return &sink;
}
static inline void martlet_rfbLog(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  (*martlet_rfbLogSinkSlot())(line);
}
/* `variable` is the address of rfbLog or rfbErr. */
static inline void martlet_rfbSetLog(void *variable, martlet_rfbLogSink sink) {
  *martlet_rfbLogSinkSlot() = sink;
  *(rfbLogProc *)variable = martlet_rfbLog;
}
