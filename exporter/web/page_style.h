/*
 * page_style - the look of the status page, from phone to wall screen, light and dark.
 */
#ifndef EXPORTER_WEB_PAGE_STYLE_H
#define EXPORTER_WEB_PAGE_STYLE_H

/* A style sheet that loads nothing. */
extern const char page_style[];

#endif
