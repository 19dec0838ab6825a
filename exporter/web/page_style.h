/*
 * page_style - the look of the status page, from phone to wall screen, light and dark.
 */
#ifndef EXPORTER_WEB_PAGE_STYLE_H
#define EXPORTER_WEB_PAGE_STYLE_H

/* A style sheet in two parts, which loads nothing. */
extern const char page_style[];
extern const char page_style_timeline[];

#endif
